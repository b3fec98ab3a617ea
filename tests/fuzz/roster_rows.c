/* What rows mean: the bytes stand as one file of an otherwise whole roster (roster_files.h). Nothing may crash or leak;
 * what is read is consistent, and what is kept of it says the same. */
#include "tests/fuzz/roster_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* The smallest tables that are needed: what stands beside the chosen one is read for each input. */
static struct snapshot *make_tables(bool of_1_1)
{
    static const char *const SMALL[TABLE__COUNT] = {
        [TABLE_ORGS] = ORGS_HEAD "s,,,S,school,,\n",
        [TABLE_CLASSES] = CLASSES_HEAD "c,5,5,k,homeroom,s,y\n",
        [TABLE_USERS] = USERS_HEAD "t,true,t,T,T,,\np,true,p,P,P,,m\nm,true,m,M,M,,\n",
        [TABLE_ROLES] = ROLES_HEAD "r,m,primary,parent,,,s\n",
        [TABLE_ENROLLMENTS] = ENROLLMENTS_HEAD "e,c,s,t,teacher,true,,\n",
    };
    struct snapshot *tables = xcalloc(1, sizeof *tables);
    for (int t = 0; t < TABLE__COUNT; ++t)
        if (SMALL[t] != NULL && !(of_1_1 && t == TABLE_ROLES))
            text_adds(&tables->csv[t], SMALL[t]);
    if (of_1_1) {
        text_clear(&tables->csv[TABLE_USERS]);
        text_adds(&tables->csv[TABLE_USERS],
                  USERS_1_1 USER_1_1("t", "s", "teacher", "T", "T", "", "")
                      USER_1_1("p", "s", "student", "P", "P", "", "m") USER_1_1("m", "s", "parent", "M", "M", "", ""));
    }
    return tables;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct snapshot *tables[2]; /* of 1.2 and 1.1, made once; in them only the chosen one changes */
    struct roster_update update = {0};
    struct roster_problems problems;
    if (len == 0)
        return 0;
    bool of_1_1 = (data[0] & 8) != 0;
    if (tables[of_1_1] == NULL)
        tables[of_1_1] = make_tables(of_1_1);
    struct text *table = &tables[of_1_1]->csv[data[0] & 7], kept = *table;
    *table = (struct text)TEXT_INIT;
    text_add(table, (const char *)data + 1, len - 1);
    bool read = roster_read_tables(tables[of_1_1], of_1_1 ? ONEROSTER_1_1 : ONEROSTER_1_2, &update, &problems);
    text_finish(table);
    *table = kept;
    if (read)
        check_update(&update);
    finish_update(&update, read, &problems);
    return 0;
}
