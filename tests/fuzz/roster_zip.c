/* Zip archives: no bytes may crash or leak. How many there are chooses who reads them: the reader, whose roster is
 * consistent and whose snapshot packs and opens as the same; the conversion; or whoever opens a snapshot. */
#include "policy/oneroster/convert.h"
#include "tests/fuzz/roster_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_packed(const struct roster_update *update)
{
    struct roster_problem problem;
    struct text packed = TEXT_INIT;
    must(snapshot_pack(update->snapshot, &packed));
    struct snapshot *again = snapshot_open(packed.data, packed.len, &problem);
    must(again != NULL);
    for (int i = 0; i < TABLE__COUNT; ++i)
        must(again->csv[i].len == update->snapshot->csv[i].len);
    snapshot_destroy(again);
    text_finish(&packed);
}

static void read_archive(const uint8_t *bytes, size_t len)
{
    struct roster_update update = {0};
    struct roster_problems problems;
    bool read = roster_read_update(bytes, len, NULL, 0, &update, &problems);
    if (read) {
        check_update(&update);
        check_packed(&update);
    }
    finish_update(&update, read, &problems);
}

static void convert(const uint8_t *bytes, size_t len)
{
    struct conversion conversion;
    bool done = roster_convert(bytes, len, &conversion);
    must(done ? conversion.archive.len != 0 : roster_problems_first(&conversion.problems) != NULL);
    conversion_finish(&conversion);
}

static void open_snapshot(const uint8_t *bytes, size_t len)
{
    struct roster_problem problem = {0};
    struct snapshot *snapshot = snapshot_open(bytes, len, &problem);
    must(snapshot != NULL || *problem.message != '\0');
    snapshot_destroy(snapshot);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    switch (len % 3) {
    case 0: read_archive(bytes, len); break;
    case 1: convert(bytes, len); break;
    default: open_snapshot(bytes, len); break;
    }
    return 0;
}
