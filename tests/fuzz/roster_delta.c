/* Delta exports: the bytes stand as users.csv in an archive that is merged into a whole roster. Nothing may crash or
 * leak; what comes out can be packed, opened and read again as the same. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/oneroster/snapshot.h"
#include "policy/oneroster/reader.h"
#include "tests/unit/roster_archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(const struct roster_update *update)
{
    struct roster_problem problem;
    struct text packed = TEXT_INIT;
    if (!snapshot_pack(update->snapshot, &packed))
        abort();
    struct roster_problems problems = {0};
    struct snapshot *snapshot = snapshot_open(packed.data, packed.len, &problem);
    struct roster *roster = snapshot != NULL ? roster_read_snapshot(snapshot, &problems) : NULL;
    if (roster == NULL || roster->n_people != update->roster->n_people || roster->n_roles != update->roster->n_roles)
        abort();
    roster_problems_finish(&problems);
    roster_destroy(roster);
    snapshot_destroy(snapshot);
    text_finish(&packed);
}

static void merge_into(const struct text *base, const char *version, char *users)
{
    char manifest[160];
    struct roster_update update;
    struct roster_problems problems;
    size_t len;
    snprintf(manifest, sizeof manifest,
             "propertyName,value\nmanifest.version,1.0\noneroster.version,%s\nfile.users,delta\n", version);
    struct archive_file files[] = {{"manifest.csv", manifest}, {"users.csv", users}};
    char *bytes = archive_of(files, 2, &len);
    if (roster_read_update(bytes, len, base->data, base->len, &update, &problems)) {
        check(&update);
        roster_destroy(update.roster);
        snapshot_destroy(update.snapshot);
    } else if (roster_problems_first(&problems) == NULL)
        abort();
    roster_problems_finish(&problems);
    free(bytes);
}

static void make_base(struct text *base)
{
    struct roster_update update;
    struct roster_problems problems;
    size_t len;
    char *bytes = archive_of(WHOLE, WHOLE_COUNT, &len);
    if (!roster_read_update(bytes, len, NULL, 0, &update, &problems) || !snapshot_pack(update.snapshot, base))
        abort();
    roster_problems_finish(&problems);
    roster_destroy(update.roster);
    snapshot_destroy(update.snapshot);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct text base; /* made once */
    char *users = xstrndup((const char *)data, len);
    if (base.len == 0)
        make_base(&base);
    merge_into(&base, "1.2", users);
    merge_into(&base, "1.1", users);
    text_finish(&base);
    free(users);
    return 0;
}
