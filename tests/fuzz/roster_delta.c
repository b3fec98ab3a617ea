/* Delta exports: the bytes stand as one file (roster_files.h), which is merged into a whole roster. Nothing may crash
 * or leak; what comes out is consistent, and what is kept of it says the same. */
#include "tests/fuzz/roster_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static struct snapshot *make_base(void)
{
    struct roster_files files;
    struct roster_update update;
    struct roster_problems problems;
    const struct archive_file *users = &WHOLE[5];
    struct text chosen = TEXT_INIT;
    text_addc(&chosen, TABLE_USERS);
    text_adds(&chosen, users->text);
    make_files(&files, (const uint8_t *)chosen.data, chosen.len, false);
    struct archive_files from = files_of(&files);
    must(roster_read_files(&from, NULL, &update, &problems));
    roster_problems_finish(&problems);
    roster_destroy(update.roster);
    finish_files(&files);
    text_finish(&chosen);
    return update.snapshot;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct snapshot *base; /* made once: a merge only reads it */
    struct roster_files files;
    struct roster_update update = {0};
    struct roster_problems problems;
    if (len == 0)
        return 0;
    if (base == NULL)
        base = make_base();
    make_files(&files, data, len, true);
    struct archive_files from = files_of(&files);
    bool read = roster_read_files(&from, base, &update, &problems);
    if (read)
        check_update(&update);
    finish_update(&update, read, &problems);
    finish_files(&files);
    return 0;
}
