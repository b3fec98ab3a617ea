#include "policy/records/roster_changes.h"

#include <ctype.h>

bool roster_changes_any(const struct roster_changes *changes)
{
    for (int i = 0; i < ROSTER_CHANGE__COUNT; ++i)
        if (changes->n[i] != 0)
            return true;
    return false;
}

void roster_changes_add_text(struct text *out, const struct roster_changes *changes)
{
    static const char *const SAYS[] = {
#define X(name, says) says,
        ROSTER_CHANGES(X)
#undef X
    };
    if (!roster_changes_any(changes))
        text_adds(out, "nothing changed\n");
    for (int i = 0; i < ROSTER_CHANGE__COUNT; ++i)
        if (changes->n[i] != 0)
            text_addf(out, "%lld %s\n", (long long)changes->n[i], SAYS[i]);
}

json_t *roster_changes_json(const struct roster_changes *changes)
{
    static const char *const NAMES[] = {
#define X(name, says) #name,
        ROSTER_CHANGES(X)
#undef X
    };
    json_t *counts = json_object();
    for (int i = 0; i < ROSTER_CHANGE__COUNT; ++i) {
        char name[32];
        size_t n = 0;
        for (; NAMES[i][n] != '\0' && n + 1 < sizeof name; ++n)
            name[n] = (char)tolower((unsigned char)NAMES[i][n]);
        name[n] = '\0';
        if (changes->n[i] != 0)
            json_object_set_new(counts, name, json_integer(changes->n[i]));
    }
    return counts;
}
