/* Messages that broke quiet hours (school.md F6), to be counted: who sent which when. */
#ifndef PARTA_STORE_SCHOOL_URGENT_MESSAGES_H
#define PARTA_STORE_SCHOOL_URGENT_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"

struct db;
struct tx;

int64_t urgent_messages_since(struct db *db, user_no sender, int64_t since_ms); /* how many */
bool urgent_messages_insert(struct tx *tx, stream_pos pos, user_no sender);     /* inside a job */

#endif
