/* OneRoster REST pages: the first byte chooses the collection, the rest is the reply. Nothing may crash or leak; what
 * is taken makes rows that the snapshot's reader reads as exactly so many, whatever the strings were. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/oneroster/reader.h"
#include "policy/oneroster/rest.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static bool count_row(void *self, struct csv_reader *reader, const struct csv_row *row)
{
    (void)reader, (void)row;
    ++*(size_t *)self;
    return true;
}

static size_t rows_of(const struct text *csv)
{
    size_t n = 0;
    struct roster_problem problem;
    struct csv_reader *reader = csv_reader_create("f", count_row, &n, &problem);
    if (!csv_reader_feed(reader, csv->data, csv->len) || !csv_reader_end(reader))
        abort();
    csv_reader_destroy(reader);
    return n - 1; /* the header */
}

static void check_merge(struct roster_delta *changes, const struct rest_reading *reading)
{
    static const enum roster_table TABLES[REST__COUNT] = {[REST_ORGS] = TABLE_ORGS,
                                                          [REST_SESSIONS] = TABLE_SESSIONS,
                                                          [REST_COURSES] = TABLE_COURSES,
                                                          [REST_CLASSES] = TABLE_CLASSES,
                                                          [REST_USERS] = TABLE_USERS,
                                                          [REST_ENROLLMENTS] = TABLE_ENROLLMENTS,
                                                          [REST_DEMOGRAPHICS] = TABLE_DEMOGRAPHICS};
    struct roster_problem problem;
    struct snapshot *empty = snapshot_create(), *merged = snapshot_merge(empty, changes, &problem);
    if (merged == NULL || rows_of(&merged->csv[TABLES[reading->collection]]) > reading->n_new)
        abort();
    struct roster_problems problems = {0};
    roster_destroy(roster_read_snapshot(merged, &problems));
    roster_problems_finish(&problems);
    snapshot_destroy(merged);
    snapshot_destroy(empty);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    size_t n;
    struct roster_problems problems = {0};
    if (len == 0)
        return 0;
    struct rest_reading reading = {.collection = bytes[0] % REST__COUNT, .changes = roster_delta_create()};
    if (rest_take_page(&reading, (const char *)bytes + 1, len - 1, &n, &problems))
        check_merge(reading.changes, &reading);
    else if (roster_problems_first(&problems) == NULL)
        abort();
    roster_problems_finish(&problems);
    roster_delta_destroy(reading.changes);
    return 0;
}
