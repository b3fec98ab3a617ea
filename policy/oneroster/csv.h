/* CSV files, read as a stream and strictly (libcsv beneath), with the place of every problem.
 *
 * Bytes go in piece by piece; each whole row comes out once, as NUL-terminated fields. Everything is bounded: bytes of
 * a row, of a field, number of columns. Refused: text that is not valid UTF-8, control characters, a quote in the
 * middle of a field, a quote that never closes, rows that have not as many fields as the header. A byte order mark, CR
 * LF and blank lines are accepted; spaces around a field do not belong to it.
 *
 * A place is the file, the line (the first is 1; a quoted field may span several: the row's first) and the column: the
 * character of that line, counted from 1, where the field begins. */
#ifndef PARTA_POLICY_ONEROSTER_CSV_H
#define PARTA_POLICY_ONEROSTER_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CSV_ROW_BYTES 262144
#define CSV_FIELD_BYTES 16384
#define CSV_COLUMNS 64
#define ROSTER_BYTES_MAX (INT64_C(512) << 20) /* unpacked, all files of an export together */

/* What is wrong with a file, and where. line and column 0: with the file as a whole. */
struct roster_problem {
    char file[64];
    int64_t line, column;
    char message[256];
};

/* "users.csv:17:5: sentence", in out; returns out. */
const char *roster_problem_text(const struct roster_problem *problem, char *out, size_t size);

struct csv_reader;

struct csv_row {
    const char *const *fields; /* n of them; borrowed for the call */
    size_t n;
    int64_t line;
};

/* Called for each row, the header included. false: the reader stops; csv_reader_refuse has said why. */
typedef bool csv_row_fn(void *self, struct csv_reader *reader, const struct csv_row *row);

/* file: its name in problems. problem is filled in when something is refused; both are borrowed. */
struct csv_reader *csv_reader_create(const char *file, csv_row_fn *fn, void *self, struct roster_problem *problem);
void csv_reader_destroy(struct csv_reader *reader); /* NULL is accepted */

/* Both: false: refused, *problem says what and where; nothing more may be fed. */
bool csv_reader_feed(struct csv_reader *reader, const char *bytes, size_t len);
bool csv_reader_end(struct csv_reader *reader);

/* Inside the row function: refuses because of field number `field` (from 0). Returns false. */
bool csv_reader_refuse(struct csv_reader *reader, size_t field, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
