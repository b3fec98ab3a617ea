/* The adapters that there are, each in a file of its name. A new one gets its line here and in adapters.c. */
#ifndef PARTA_DIARY_DIARIES_H
#define PARTA_DIARY_DIARIES_H

#include "appservice/diary/adapter.h"

extern const struct adapter CSV_ADAPTER, DNEVNIK_ADAPTER, ICALENDAR_ADAPTER, ONEROSTER_ADAPTER, WEBHOOK_ADAPTER;

#endif
