/* CSV files of diaries that only export (csv.c says which columns). */
#ifndef PARTA_DIARY_CSV_H
#define PARTA_DIARY_CSV_H

#include "appservice/diary/reading.h"

/* Adds a file's records. NULL: good; otherwise what is wrong (static storage), and what was added counts for nothing.
 * Rows that are not good are noted in the reading. */
const char *csv_read_records(struct reading *reading, const char *bytes, size_t len);

#endif
