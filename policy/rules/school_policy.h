/* A school's own policy: what rules_decide asks where school.md leaves the school a choice.
 *
 * It is a plain struct without pointers: SCHOOL_POLICY_DEFAULT has the defaults of school.md, a school's document
 * (JSON, docs/policy.md) narrows or widens cells of it. The document is read by school_policy_read, which refuses
 * whatever it does not know; nothing is guessed. Where something concerns several schools at once, the strictest counts
 * (school_policy_strictest), but for direct chats: there one school in which the two people stand in a relation that
 * this school allows is enough (F1). */
#ifndef PARTA_POLICY_RULES_SCHOOL_POLICY_H
#define PARTA_POLICY_RULES_SCHOOL_POLICY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/days.h"
#include "homeserver/base/text.h"
#include "policy/rules/words.h"

/* F1: how the one who asks stands to the one who is asked, in one school. Several can hold (B2). X(name, word, default)
 * The first word of a name is a role of the one who asks. "own" and "classmate" go by class and subject group; the last
 * rows hold between any two people of the school in these roles, and are what a school widens. */
#define RELATIONSHIPS(X)                                                                                               \
    X(PUPIL_OWN_TEACHER, "pupil.own_teacher", true)                                                                    \
    X(PUPIL_OWN_GUARDIAN, "pupil.own_guardian", true)                                                                  \
    X(PUPIL_CLASSMATE, "pupil.classmate", true)                                                                        \
    X(GUARDIAN_OWN_CHILD, "guardian.own_child", true)                                                                  \
    X(GUARDIAN_CHILDS_TEACHER, "guardian.childs_teacher", true)                                                        \
    X(GUARDIAN_CLASS_GUARDIAN, "guardian.class_guardian", true)                                                        \
    X(STAFF_STAFF, "staff.staff", true)                                                                                \
    X(STAFF_OWN_PUPIL, "staff.own_pupil", true)                                                                        \
    X(STAFF_PUPILS_GUARDIAN, "staff.pupils_guardian", true)                                                            \
    X(PUPIL_PUPIL, "pupil.pupil", false)                                                                               \
    X(PUPIL_GUARDIAN, "pupil.guardian", false)                                                                         \
    X(PUPIL_STAFF, "pupil.staff", false)                                                                               \
    X(GUARDIAN_PUPIL, "guardian.pupil", false)                                                                         \
    X(GUARDIAN_GUARDIAN, "guardian.guardian", false)                                                                   \
    X(GUARDIAN_STAFF, "guardian.staff", false)                                                                         \
    X(STAFF_PUPIL, "staff.pupil", false)                                                                               \
    X(STAFF_GUARDIAN, "staff.guardian", false)

enum relationship {
#define X(name, word, allowed) RELATION_##name,
    RELATIONSHIPS(X)
#undef X
        RELATION__COUNT
};
#define RELATION_BIT(relation) (UINT32_C(1) << (relation))

const char *relationship_name(enum relationship relationship); /* "pupil.own_teacher" */

/* E9 */
/* What becomes of encryption that a client asks for with a new room where it is forbidden: it is taken out, and the
 * room is made; or the room is refused. There are clients that ask for it in every new chat. */
enum new_rooms_rule { NEW_ROOMS_STRIP, NEW_ROOMS_REFUSE };
enum encryption_rule { ENCRYPTION_FORBIDDEN, ENCRYPTION_ALLOWED, ENCRYPTION_REQUIRED };

/* F3: what becomes of what staff and families write to each other in quiet hours. */
enum quiet_mode { QUIET_OFF, QUIET_WARN, QUIET_DELAY, QUIET_REFUSE };

/* D7: what a restricted pupil may do beside reading; bits. */
enum restricted_ability {
    RESTRICTED_WRITE_CLASS_TEACHER = 1, /* in a direct chat with the class teacher, which they may start */
    RESTRICTED_WRITE_CLASS = 2,         /* in the class room */
    RESTRICTED_WRITE_GUARDIAN = 4,
    RESTRICTED_WRITE_ROSTER_ROOMS = 8, /* in all rooms the roster keeps */
    RESTRICTED_DOCUMENTS = 16,         /* their own documents room */
};

/* What the school gives its class teachers of the administrator's work, for their own class; bits. */
enum class_teacher_ability {
    CLASS_TEACHER_APPROVES = 1, /* C1 */
    CLASS_TEACHER_LINKS = 2,    /* C2 */
    CLASS_TEACHER_REPORTS = 4,  /* F5 */
    CLASS_TEACHER_PEOPLE = 8,   /* sees the class's people and guardianships */
};

/* What the names of a school's rooms are written in, and in which order a person's names stand. */
enum school_language { SCHOOL_SPEAKS_RU, SCHOOL_SPEAKS_EN, SCHOOL_LANGUAGE__COUNT };

/* As documents have them. */
const char *encryption_rule_name(enum encryption_rule rule);
const char *new_rooms_rule_name(enum new_rooms_rule rule);

struct school_policy {
    unsigned char language;                     /* enum school_language */
    uint32_t direct;                            /* F1: RELATION_BIT of what is allowed */
    unsigned make_direct, make_club;            /* E5: enum school_role, who may make direct chats; further rooms */
    bool staff_in_pupils_rooms;                 /* E5 */
    unsigned polls;                             /* F4: enum school_role, who may start one */
    unsigned char encryption[ROOM_KIND__COUNT]; /* E9: enum encryption_rule */
    unsigned char encryption_new_rooms;         /* E9: enum new_rooms_rule */
    struct {
        enum quiet_mode mode;
        int from_minute, to_minute; /* of the local day; from > to: over midnight */
        int utc_offset_minutes;
        bool push;        /* true: push all the same */
        unsigned senders; /* enum school_role: whom it binds when they write to the other side */
        unsigned urgent;  /* F6: enum school_role, who may break it with a reason */
    } quiet;
    bool push_content;         /* A5: what is written goes to push gateways, too */
    unsigned restricted_may;   /* D7 */
    int consent_age;           /* D7: 14 */
    bool unknown_age_is_child; /* D7: a pupil without a birth date counts as younger */
    unsigned class_teacher_may;
    int claim_wait_days;          /* J4: who came by a personal link counts as the person after so many, unconfirmed */
    bool guardian_needs_approval; /* D2, C2: a guardian who came by the child's link */
    struct {
        unsigned roles;  /* enum school_role, of the staff: who needs a second factor for what weighs */
        school_day from; /* DAY_EVER: not said; then roles is empty */
        int grace_days;  /* whoever gets such a role has so long */
    } second_factor;     /* H1 */
    struct {
        int64_t file_max, quota; /* bytes; quota −1: none */
    } media[3];                  /* enum media_tier */
};

enum media_tier { MEDIA_PUPIL, MEDIA_GUARDIAN, MEDIA_STAFF };

extern const struct school_policy SCHOOL_POLICY_DEFAULT;

/* Reads a document over base. false: *problem says where and why ("direct.pupil.pupil: neither true nor false"); *out
 * is then undefined. The document is bounded by whoever parsed it. */
bool school_policy_read(const json_t *document, const struct school_policy *base, struct school_policy *out,
                        struct text *problem);

/* The whole policy as a document: new reference. school_policy_read of it gives the same policy. */
json_t *school_policy_document(const struct school_policy *policy);

/* What both would allow; quiet hours: the stricter mode's. */
struct school_policy school_policy_strictest(const struct school_policy *a, const struct school_policy *b);

/* H1: from which day on somebody who is roles, and has been since that day, does nothing that weighs without a second
 * factor; DAY_NEVER: it is not asked of them. since: DAY_EVER where nobody knows. */
school_day school_policy_factor_day(const struct school_policy *policy, unsigned roles, school_day since);

/* F3: whether the moment (Unix milliseconds) lies in quiet hours; *ends_ms: when they end. */
bool school_policy_quiet(const struct school_policy *policy, int64_t now_ms, int64_t *ends_ms);

#endif
