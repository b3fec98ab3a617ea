#include <stddef.h>
#include <string.h>

#include "policy/rules/words.h"

#include "homeserver/base/words.h"

/* The words by which the store and the documents call things. */
static const char *const KINDS[] = {
    [ROOM_FREE] = "free",
    [ROOM_SCHOOL_SPACE] = "school_space",
    [ROOM_CLASS_SPACE] = "class_space",
    [ROOM_CLASS] = "class",
    [ROOM_GUARDIANS] = "guardians",
    [ROOM_STAFF] = "staff",
    [ROOM_ANNOUNCEMENTS] = "announcements",
    [ROOM_SUBJECT] = "subject",
    [ROOM_DIRECT] = "direct",
    [ROOM_CLUB] = "club",
    [ROOM_DOCUMENTS] = "documents",
    [ROOM_LIBRARY] = "library",
    [ROOM_ASSOCIATION] = "association",
    [ROOM_ARCHIVE] = "archive",
    [ROOM_NOTICES] = "notices",
};
/* By bit. */
static const char *const ROLES[] = {"pupil",  "guardian", "teacher",       "class_teacher", "staff",
                                    "deputy", "head",     "administrator", "external"};

const char *room_kind_name(enum room_kind kind)
{
    return KINDS[kind];
}

bool room_kind_from(const char *name, enum room_kind *out)
{
    int i = WORD_FIND(KINDS, name);
    if (i >= 0)
        *out = (enum room_kind)i;
    return i >= 0;
}

bool room_kind_is_space(enum room_kind kind)
{
    return kind == ROOM_SCHOOL_SPACE || kind == ROOM_CLASS_SPACE;
}

bool room_kind_is_roster(enum room_kind kind)
{
    return kind >= ROOM_SCHOOL_SPACE && kind <= ROOM_SUBJECT;
}

const char *school_role_name(enum school_role role)
{
    for (size_t i = 0; i < sizeof ROLES / sizeof *ROLES; ++i)
        if ((unsigned)role == 1u << i)
            return ROLES[i];
    return "";
}

unsigned school_role_from(const char *name)
{
    int i = WORD_FIND(ROLES, name);
    return i >= 0 ? 1u << i : 0;
}
