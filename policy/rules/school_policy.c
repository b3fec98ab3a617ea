#include "policy/rules/school_policy.h"

#define X(name, word, allowed) | ((allowed) ? RELATION_BIT(RELATION_##name) : 0)

const struct school_policy SCHOOL_POLICY_DEFAULT = {
    .direct = 0 RELATIONSHIPS(X),
    .make_direct = ROLES_FAMILY | ROLES_STAFF,
    .make_club = ROLES_STAFF,
    .staff_in_pupils_rooms = true,
    .polls = ROLES_STAFF,
    .encryption = {[ROOM_FREE] = ENCRYPTION_ALLOWED,
                   [ROOM_DIRECT] = ENCRYPTION_ALLOWED,
                   [ROOM_CLUB] = ENCRYPTION_ALLOWED,
                   [ROOM_DOCUMENTS] = ENCRYPTION_ALLOWED},
    .quiet = {.mode = QUIET_OFF,
              .from_minute = 21 * 60,
              .to_minute = 7 * 60,
              .utc_offset_minutes = 180,
              .senders = ROLES_STAFF | ROLE_GUARDIAN},
    .restricted_may = RESTRICTED_WRITE_CLASS_TEACHER,
    .consent_age = 14,
    .unknown_age_is_child = true,
    .class_teacher_may = CLASS_TEACHER_LINKS | CLASS_TEACHER_REPORTS | CLASS_TEACHER_PEOPLE,
    .media = {[MEDIA_PUPIL] = {20 << 20, INT64_C(1) << 30},
              [MEDIA_GUARDIAN] = {50 << 20, INT64_C(1) << 30},
              [MEDIA_STAFF] = {200 << 20, INT64_C(10) << 30}},
};
