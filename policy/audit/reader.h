/* What of the log its readers do not see (D9, F5). Whoever has the office of a school reads its log; an entry that
 * concerns somebody from whom they are kept is not there for them, be it older than that word, and neither is one that
 * tells what the office settled of their own family and why. An entry about a report is read by whoever may read that
 * report, never by the accused. An entry is taken whole or not at all: it verifies as it was
 * signed.
 *
 * Whom an entry concerns say its actor, its subject and those members of its changes that are people's
 * (driver/guarded.h): not a reason that quotes an id, nor a class, a room or a word of the same letters.
 *
 * A reader is made for one request and one thread. */
#ifndef PARTA_POLICY_AUDIT_READER_H
#define PARTA_POLICY_AUDIT_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/ids.h"

struct audit_row;
struct db;

/* {0} reads everything: an operator, the command line. */
struct audit_reader {
    struct audit_named { /* a person, as entries call them */
        char *name;      /* a Matrix ID or a sourcedId; heap, like quoted: the same as a JSON string */
        char *quoted;
        bool matrix;
    } * names;      /* n of them; heap */
    size_t n, kept; /* the first `kept` are of those from whom the reader is kept, the rest of the own family */
    struct db *db;
    user_no user; /* 0: nobody's eyes */
    bool school_mode;
};

/* user 0: reads everything. Reads the database. */
void audit_reader_init(struct audit_reader *reader, struct db *db, const char *server_name, bool school_mode,
                       user_no user);
void audit_reader_finish(struct audit_reader *reader);

/* NULL: sees everything. Reads the database. */
bool audit_reader_sees(const struct audit_reader *reader, const struct audit_row *row);

#endif
