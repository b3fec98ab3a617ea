/* CSV files, read as a stream and strictly (libcsv beneath), with the place of every problem.
 *
 * Bytes go in piece by piece; each whole row comes out once, as NUL-terminated fields. Everything is bounded: bytes of
 * a row, of a field, number of columns. Refused: text that is not valid UTF-8, control characters, a quote in the
 * middle of a field, a quote that never closes, rows that have not as many fields as the header. A byte order mark, CR
 * LF and blank lines are accepted; spaces around a field do not belong to it.
 *
 * The first problem ends the reading, or all are collected (csv_reader_collect): then a row that cannot be read is
 * passed over, and only what leaves no place to go on from, a quote where none may be or a row beyond all bounds, ends
 * it.
 *
 * A place is the file, the line (the first is 1; a quoted field may span several: the row's first) and the column: the
 * character of that line, counted from 1, where the field begins. */
#ifndef PARTA_POLICY_ONEROSTER_CSV_H
#define PARTA_POLICY_ONEROSTER_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/text.h"
#include "policy/oneroster/problems.h"

#define CSV_ROW_BYTES 262144
#define CSV_FIELD_BYTES 16384
#define CSV_COLUMNS 64

/* Appends a cell, in quotes where they are needed. */
void csv_add_cell(struct text *out, const char *value);

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

/* Before the first byte. Problems go to the list, borrowed, and what comes behind them is read as well. */
void csv_reader_collect(struct csv_reader *reader, struct roster_problems *problems);

/* Before the first byte: fields are separated by this, and rows may have another length than the header. */
void csv_reader_loosen(struct csv_reader *reader, char separator);

/* Inside the row function, of the header: nobody reads this column. A field of it that would be refused is "". */
void csv_reader_unread(struct csv_reader *reader, size_t field);

/* Whether rows were passed over: what they said is not known. */
bool csv_reader_passed_over(const struct csv_reader *reader);

/* Both: false: refused, *problem says what and where; nothing more may be fed. */
bool csv_reader_feed(struct csv_reader *reader, const char *bytes, size_t len);
bool csv_reader_end(struct csv_reader *reader);

/* Inside the row function: refuses because of field number `field` (from 0). Returns false. Where problems are
 * collected the row function goes on by returning true all the same. */
bool csv_reader_refuse(struct csv_reader *reader, size_t field, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Inside the row function: where field number `field` begins. */
void csv_reader_place(const struct csv_reader *reader, size_t field, int64_t *line, int64_t *column);

#endif
