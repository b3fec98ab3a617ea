#include "homeserver/store/bounds.h"

#include <inttypes.h>
#include <stdio.h>

#include "homeserver/store/driver/db.h"

static const struct statement TEXTS[BOUND__COUNT] = {
#define X(name, word, most, args, sql, ru, en) [BOUND_##name] = sql,
#include "homeserver/store/bounds.def"
#undef X
};
STATEMENTS(BOUNDS, "bounds", TEXTS);

static const struct {
    const char *word;
    int64_t most;
    const char *args, *ru, *en;
} ROWS[BOUND__COUNT] = {
#define X(name, word, most, args, sql, ru, en) [BOUND_##name] = {word, most, args, ru, en},
#include "homeserver/store/bounds.def"
#undef X
};

bool bound_refuse(struct error *e, const char *word, int64_t most)
{
    char told[64];
    snprintf(told, sizeof told, "%s: %" PRId64, word, most);
    return error_set_field(e, ERROR_BOUND, NULL, "org.parta.bound", told);
}

bool bound_has_room(struct db *db, enum bound bound, user_no user, int64_t scope, int64_t more, struct error *e)
{
    const char *args = ROWS[bound].args;
    int64_t n = args[1] != '\0' ? db_int(db, &BOUNDS, (int)bound, 0, "ii", user, scope)
                                : db_int(db, &BOUNDS, (int)bound, 0, "i", args[0] == 'u' ? user : scope);
    if (n + more <= ROWS[bound].most)
        return true;
    bound_refuse(e, ROWS[bound].word, ROWS[bound].most);
    e->sentence = ROWS[bound].ru;
    e->translation = ROWS[bound].en;
    return false;
}

bool bound_kept(struct db *db, enum bound bound, user_no user, int64_t scope, struct error *e)
{
    return bound_has_room(db, bound, user, scope, 0, e);
}

const char *bound_word(enum bound bound)
{
    return ROWS[bound].word;
}

int64_t bound_most(enum bound bound)
{
    return ROWS[bound].most;
}
