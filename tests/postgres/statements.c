/* What tests/postgres/run asks PostgreSQL about, as JSON on standard output: {"schema": [SQL…], "sets": [{"name",
 * "statements": [SQL…]}…]}. */
#include <jansson.h>
#include <stdio.h>

#include "homeserver/store/driver/schema.h"
#include "tests/unit/statement_sets.h"

int main(void)
{
    json_t *schema = json_array(), *sets = json_array();
    for (int i = 0; i < schema_version(); ++i)
        json_array_append_new(schema, json_string(schema_migration(i + 1)));
    each_statement_set(set)
    {
        json_t *statements = json_array();
        for (int i = 0; i < set->n; ++i)
            json_array_append_new(statements, json_string(set->all[i].text));
        json_array_append_new(sets, json_pack("{s:s, s:o}", "name", set->name, "statements", statements));
    }
    json_t *all = json_pack("{s:o, s:o}", "schema", schema, "sets", sets);
    int done = json_dumpf(all, stdout, JSON_INDENT(1));
    json_decref(all);
    return done == 0 && fflush(stdout) == 0 ? 0 : 1;
}
