#include "policy/rules/rules.h"

#include <stddef.h>
#include <string.h>

#define IN(act) (UINT64_C(1) << (act))
_Static_assert(ACT__COUNT <= 64, "a row's acts are the bits of one word");

/* A row refuses when the act is one of its acts and applies answers true. */
struct rule {
    const char *rule, *code;
    uint64_t acts;
    bool (*applies)(const struct rule_facts *f);
    const char *ru, *en;
    enum verdict_kind kind;
    bool overridable; /* J2 */
};

/* Acts that nobody does but a person whose account is in order. */
#define EVERY_ACT (IN(ACT__COUNT) - 1)
#define ROOM_ACTS ((IN(ACT_SEE) << 1) - 1) /* in a room, or about one */
#define ENTERING (IN(ACT_INVITE) | IN(ACT_JOIN) | IN(ACT_KNOCK))
#define WRITING (IN(ACT_SEND) | IN(ACT_REDACT))
#define TALKING (ENTERING | IN(ACT_SEND) | IN(ACT_STATE)) /* what makes a chat of two, or goes on in it */
#define CHANGING (IN(ACT_UPGRADE_ROOM) | IN(ACT_ALIAS) | IN(ACT_PUBLISH))
#define OWN_DATA (IN(ACT_EXPORT) | IN(ACT_ERASE) | IN(ACT_LEAVE_SCHOOL))

static bool type_is_one_of(const char *type, const char *const *types, size_t n)
{
    for (size_t i = 0; type != NULL && i < n; ++i)
        if (strcmp(type, types[i]) == 0)
            return true;
    return false;
}
#define TYPE_IN(f, types) type_is_one_of((f)->event_type, types, sizeof(types) / sizeof *(types))

static bool is_roster_room(const struct rule_facts *f)
{
    return room_kind_is_roster(f->room.kind);
}

/* Made and kept by the server: the roster's rooms, and the library. */
static bool is_kept_room(const struct rule_facts *f)
{
    return is_roster_room(f) || f->room.kind == ROOM_LIBRARY;
}

/* What people of a school made for talking, without the school's saying who is in it. */
static bool is_peoples_room(const struct rule_facts *f)
{
    return f->room.kind == ROOM_DIRECT || f->room.kind == ROOM_CLUB ||
           (f->room.kind == ROOM_FREE && f->room.has_school);
}

static bool stands(const struct person_facts *person)
{
    return person->service || person->standing == STANDING_ACTIVE || person->standing == STANDING_RESTRICTED;
}

/* An operator is no person: nobody asks how their account stands. */
static bool is_person(const struct rule_facts *f)
{
    return !f->actor.service && !f->office.operator_;
}

/* External staff, and nothing else in the schools concerned (B2: a coach who is also a father counts as a father). */
static bool is_external(const struct person_facts *person)
{
    return !person->service && person->roles == ROLE_EXTERNAL;
}

static bool act_is_one_of(const struct rule_facts *f, uint64_t acts)
{
    return (acts & IN(f->act)) != 0;
}

/* --- A3 --- */

/* Who waits may see who they are, go away again, and become the guardian whom a child's link makes of them (D2). */
static bool actor_pending(const struct rule_facts *f)
{
    bool own = f->self && act_is_one_of(f, OWN_DATA | IN(ACT_PROFILE));
    return is_person(f) && f->actor.standing == STANDING_PENDING && !own && f->act != ACT_BECOME_GUARDIAN;
}

/* Whoever is suspended may still read, go, and take back what they wrote (Client-Server API, "Account suspension"); and
 * ask for help, look after a child, and have what is theirs (G1, G4). */
#define SUSPENDED_MAY                                                                                                  \
    (IN(ACT_LEAVE) | IN(ACT_SEE) | IN(ACT_PROFILE) | IN(ACT_FIND) | IN(ACT_SIGNAL) | IN(ACT_REPORT) | IN(ACT_CHILD))

static bool actor_suspended(const struct rule_facts *f)
{
    bool own = f->self && act_is_one_of(f, OWN_DATA | IN(ACT_REDACT));
    return is_person(f) && f->actor.standing == STANDING_SUSPENDED && !own && !act_is_one_of(f, SUSPENDED_MAY);
}

static bool actor_stopped(const struct rule_facts *f)
{
    return is_person(f) && (f->actor.standing == STANDING_LOCKED || f->actor.standing == STANDING_LEFT);
}

/* Who is suspended or locked for a while can do nothing, but keeps their place: the roster may even give them a new
 * one. */
static bool target_not_confirmed(const struct rule_facts *f)
{
    bool paused = f->target.standing == STANDING_SUSPENDED || f->target.standing == STANDING_LOCKED;
    return !stands(&f->target) && !(paused && f->actor.service);
}

/* --- A1, A2 --- */

/* Somebody of a school, and a room that people of none made. */
static bool school_meets_none(const struct rule_facts *f)
{
    return !f->room.has_school && !f->target.service && !f->target.member;
}

static bool target_outside(const struct rule_facts *f)
{
    return !f->target.service && !f->target.member;
}

static bool actor_outside(const struct rule_facts *f)
{
    return !f->actor.service && !f->actor.member;
}

/* --- D7 --- */

/* With whom a restricted pupil may talk alone. */
static bool restricted_may_talk(const struct rule_facts *f)
{
    unsigned may = f->policy->restricted_may;
    return (f->pair.class_teacher && (may & RESTRICTED_WRITE_CLASS_TEACHER) != 0) ||
           (f->pair.guardian && (may & RESTRICTED_WRITE_GUARDIAN) != 0);
}

static bool restricted_may_write(const struct rule_facts *f)
{
    unsigned may = f->policy->restricted_may;
    if (f->room.kind == ROOM_DOCUMENTS)
        return (may & RESTRICTED_DOCUMENTS) != 0;
    if (is_roster_room(f))
        return (may & RESTRICTED_WRITE_ROSTER_ROOMS) != 0 ||
               (f->room.kind == ROOM_CLASS && (may & RESTRICTED_WRITE_CLASS) != 0);
    return f->pair.two && restricted_may_talk(f);
}

/* To make a direct chat, before it is known with whom; and to set it up until somebody is invited. */
static bool restricted_may_begin(const struct rule_facts *f)
{
    if (f->room.kind != ROOM_DIRECT)
        return restricted_may_write(f);
    if (f->pair.two)
        return restricted_may_talk(f);
    return (f->policy->restricted_may & (RESTRICTED_WRITE_CLASS_TEACHER | RESTRICTED_WRITE_GUARDIAN)) != 0;
}

/* Where they may be: where the school puts them, where everybody reads, where they may write. */
static bool restricted_may_join(const struct rule_facts *f)
{
    return f->target.joined || is_kept_room(f) || f->room.kind == ROOM_DOCUMENTS || restricted_may_begin(f);
}

#define RESTRICTED_MAY                                                                                                 \
    (SUSPENDED_MAY | OWN_DATA | IN(ACT_REDACT) | IN(ACT_NAME) | IN(ACT_GUARDIAN_LINK) | IN(ACT_RECORDS_READ))

static bool actor_restricted(const struct rule_facts *f)
{
    if (!is_person(f) || f->actor.standing != STANDING_RESTRICTED || act_is_one_of(f, RESTRICTED_MAY))
        return false;
    switch (f->act) {
    case ACT_CREATE_ROOM:
    case ACT_STATE: return !restricted_may_begin(f);
    case ACT_JOIN: return !restricted_may_join(f);
    case ACT_INVITE:
    case ACT_SEND: return !restricted_may_write(f);
    default: return true;
    }
}

/* --- G3 --- */

static bool archive_changed(const struct rule_facts *f)
{
    return f->room.kind == ROOM_ARCHIVE && !f->actor.service;
}

static bool archive_entered(const struct rule_facts *f)
{
    return f->room.kind == ROOM_ARCHIVE && !f->target.service && !f->target.joined;
}

/* --- E7: external staff --- */

/* Their own documents apart, named rooms only; the roster may hold them too. */
static bool is_no_room_of(const struct rule_facts *f, const struct person_facts *person)
{
    return is_external(person) && !person->named && !person->held && !(f->room.kind == ROOM_DOCUMENTS && person->owner);
}

static bool external_enters(const struct rule_facts *f)
{
    return is_no_room_of(f, &f->target);
}

static bool external_acts(const struct rule_facts *f)
{
    return is_no_room_of(f, &f->actor);
}

static bool external_creates(const struct rule_facts *f)
{
    return is_external(&f->actor) && f->room.kind != ROOM_DOCUMENTS;
}

static bool external_alone(const struct rule_facts *f)
{
    return f->room.kind == ROOM_DIRECT && (is_external(&f->actor) || is_external(&f->target));
}

static bool external_searches(const struct rule_facts *f)
{
    return is_person(f) && is_external(&f->actor);
}

/* --- E1, E2, E3, E4 --- */

static bool target_not_held(const struct rule_facts *f)
{
    return is_roster_room(f) && !f->target.service && !f->target.held;
}

static bool target_held(const struct rule_facts *f)
{
    return is_roster_room(f) && f->target.held;
}

static bool ban_by_member(const struct rule_facts *f)
{
    return is_kept_room(f) && !f->actor.service;
}

static bool creates_kept_room(const struct rule_facts *f)
{
    return (is_kept_room(f) || f->room.kind == ROOM_ARCHIVE) && !f->actor.service;
}

/* State that makes a roster room what it is: the service user's alone. */
static const char *const FOUNDING_STATE[] = {
    "m.room.create",       "m.room.power_levels",    "m.room.join_rules", "m.room.history_visibility",
    "m.room.guest_access", "m.room.server_acl",      "m.room.tombstone",  "m.room.third_party_invite",
    "m.room.name",         "m.room.canonical_alias", "m.room.aliases",    "m.space.child",
    "m.space.parent",      "m.room.related_groups",  "m.room.policy",
};

static bool forges_state(const struct rule_facts *f)
{
    return is_kept_room(f) && !f->actor.service && TYPE_IN(f, FOUNDING_STATE);
}

/* Topic, avatar, pinned messages and the like: who has power there by post, never whom an event made powerful (A4). */
static bool state_without_post(const struct rule_facts *f)
{
    return is_roster_room(f) && !f->actor.service && !f->actor.post;
}

static bool keeps_by_member(const struct rule_facts *f)
{
    return is_kept_room(f) && !f->actor.service;
}

static bool invites_by_third_party(const struct rule_facts *f)
{
    return f->event_type != NULL && strcmp(f->event_type, "m.room.third_party_invite") == 0;
}

static bool writes_in_space(const struct rule_facts *f)
{
    return room_kind_is_space(f->room.kind) && !f->actor.service;
}

static bool announces_without_post(const struct rule_facts *f)
{
    return f->room.kind == ROOM_ANNOUNCEMENTS && !f->actor.service && (f->actor.roles & ROLES_LEADING) == 0;
}

/* --- E6 --- */

static bool documents_entered(const struct rule_facts *f)
{
    return f->room.kind == ROOM_DOCUMENTS && !f->target.service && !f->target.owner;
}

static bool documents_shown(const struct rule_facts *f)
{
    return f->room.kind == ROOM_DOCUMENTS && !f->actor.service && !(f->act == ACT_SEE && f->actor.owner);
}

static bool library_written(const struct rule_facts *f)
{
    return f->room.kind == ROOM_LIBRARY && !f->actor.service && (f->actor.roles & ROLES_STAFF) == 0;
}

/* --- E8 --- */

static bool association_entered(const struct rule_facts *f)
{
    return f->room.kind == ROOM_ASSOCIATION && !f->target.service && (f->target.roles & ROLES_STAFF) == 0;
}

static bool association_created(const struct rule_facts *f)
{
    return f->room.kind == ROOM_ASSOCIATION && !f->actor.service && (f->actor.roles & ROLES_STAFF) == 0;
}

/* --- F2: before F1, so that a third person hears of the right reason --- */

static bool third_person(const struct rule_facts *f)
{
    return f->room.kind == ROOM_DIRECT && f->room.direct_pair_full && !f->target.service && !f->target.direct_pair;
}

static bool direct_seen(const struct rule_facts *f)
{
    return f->room.kind == ROOM_DIRECT && !f->actor.service && !f->actor.direct_pair;
}

static bool direct_addressed(const struct rule_facts *f)
{
    return f->room.kind == ROOM_DIRECT && !f->actor.service;
}

static bool direct_named(const struct rule_facts *f)
{
    static const char *const TYPES[] = {"m.room.name", "m.room.canonical_alias", "m.room.aliases", "m.space.child",
                                        "m.space.parent"};
    return direct_addressed(f) && TYPE_IN(f, TYPES);
}

/* --- F1 --- */

static bool talk_needs_leave(const struct rule_facts *f)
{
    bool entering = act_is_one_of(f, ENTERING);
    if (!f->pair.two || !is_peoples_room(f) || f->pair.allowed != 0)
        return false;
    if (entering)
        return !f->target.service && !f->target.joined;
    return !f->actor.service;
}

/* They are nothing to each other. Somebody whom the office named for a room may enter it, but as long as there are only
 * two, neither writes: it would be a direct chat (E7). */
static bool strangers_talk(const struct rule_facts *f)
{
    return f->pair.relations == 0 && talk_needs_leave(f) && !(act_is_one_of(f, ENTERING) && f->target.named);
}

static bool relation_forbidden(const struct rule_facts *f)
{
    return f->pair.relations != 0 && talk_needs_leave(f);
}

/* --- E5 --- */

/* Not those of no school: no school's people enter what they make (A1). */
static bool lacks_role(const struct rule_facts *f, unsigned roles)
{
    return !f->actor.service && (f->actor.roles & roles) == 0 && (f->actor.roles | f->actor.any_roles) != 0;
}

static bool makes_direct(const struct rule_facts *f)
{
    return f->room.kind == ROOM_DIRECT && lacks_role(f, f->policy->make_direct);
}

static bool makes_club(const struct rule_facts *f)
{
    return f->room.kind == ROOM_CLUB && lacks_role(f, f->policy->make_club);
}

static bool staff_missing(const struct rule_facts *f)
{
    return f->policy->staff_in_pupils_rooms && f->room.made_by_pupil && !f->room.has_staff && f->room.n_people >= 3 &&
           f->room.kind != ROOM_DIRECT && is_peoples_room(f);
}

/* So that the third to come is somebody of the staff, or comes once somebody of the staff is there. */
static bool enters_without_staff(const struct rule_facts *f)
{
    return staff_missing(f) && !f->target.service && !f->target.joined && (f->target.roles & ROLES_STAFF) == 0;
}

static bool writes_without_staff(const struct rule_facts *f)
{
    return staff_missing(f) && !f->actor.service;
}

/* --- E9 --- */

static enum encryption_rule encryption_of(const struct rule_facts *f)
{
    bool club = f->room.kind == ROOM_FREE && f->room.has_school;
    return (enum encryption_rule)f->policy->encryption[club ? ROOM_CLUB : f->room.kind];
}

/* Turned on; or written without turning it on, so that the room looks as if it were read by everybody. */
static bool encrypts(const struct rule_facts *f)
{
    bool state = f->act == ACT_STATE;
    if (f->event_type == NULL || encryption_of(f) != ENCRYPTION_FORBIDDEN || (!state && f->room.encrypted))
        return false;
    return strcmp(f->event_type, state ? "m.room.encryption" : "m.room.encrypted") == 0;
}

static const char *const POLL_START[] = {"m.poll.start", "org.matrix.msc3381.poll.start"};
static const char *const CONTENT[] = {"m.room.message",
                                      "m.sticker",
                                      "m.poll.start",
                                      "org.matrix.msc3381.poll.start",
                                      "m.poll.response",
                                      "m.poll.end",
                                      "org.matrix.msc3381.poll.response",
                                      "org.matrix.msc3381.poll.end"};

static bool writes_in_clear(const struct rule_facts *f)
{
    return encryption_of(f) == ENCRYPTION_REQUIRED && !f->actor.service && TYPE_IN(f, CONTENT);
}

/* --- F4 --- */

static bool starts_poll(const struct rule_facts *f)
{
    bool school = f->room.kind != ROOM_FREE || f->room.has_school;
    return school && !f->actor.service && (f->actor.roles & f->policy->polls) == 0 && TYPE_IN(f, POLL_START);
}

/* --- B3: what somebody is called tells who they are in the school --- */

static bool actor_held(const struct rule_facts *f)
{
    return !f->actor.service && f->actor.held;
}

/* --- A6 --- */

static bool profile_of_stranger(const struct rule_facts *f)
{
    return is_person(f) && !f->self && !f->target.service && !f->target.member && !f->target.shares_room &&
           f->pair.relations == 0;
}

/* People of no school find each other, as if there were no schools. */
static bool cannot_be_found(const struct rule_facts *f)
{
    bool schoolless = f->actor.any_roles == 0 && f->target.any_roles == 0;
    return is_person(f) && !f->self && (!stands(&f->target) || (f->pair.allowed == 0 && !schoolless));
}

/* --- The office --- */

static bool is_office(const struct rule_facts *f)
{
    return f->actor.service || f->office.operator_ || (f->actor.roles & ROLE_ADMINISTRATOR) != 0;
}

/* A class teacher to whom the school gave that part of the work. */
static bool is_class_office(const struct rule_facts *f, enum class_teacher_ability ability)
{
    return f->office.class_teacher && (f->policy->class_teacher_may & ability) != 0;
}

static bool not_office(const struct rule_facts *f)
{
    return !is_office(f);
}

static bool may_not_approve(const struct rule_facts *f)
{
    return !is_office(f) && !is_class_office(f, CLASS_TEACHER_APPROVES);
}

static bool may_not_link(const struct rule_facts *f)
{
    return !is_office(f) && !is_class_office(f, CLASS_TEACHER_LINKS);
}

/* A class teacher lets pupils and their parents in, and makes nobody a colleague. */
static bool gives_staff_role(const struct rule_facts *f)
{
    return !is_office(f) && (f->office.role & ~(unsigned)ROLES_FAMILY) != 0;
}

static bool may_not_settle_reports(const struct rule_facts *f)
{
    return !is_office(f) && !is_class_office(f, CLASS_TEACHER_REPORTS);
}

static bool may_not_read_records(const struct rule_facts *f)
{
    return !is_office(f) && !f->self && !f->office.guardian && !is_class_office(f, CLASS_TEACHER_PEOPLE);
}

static bool is_accused(const struct rule_facts *f)
{
    return f->office.accused;
}

/* A1: an office's arm reaches as far as its school. */
static bool target_of_other_school(const struct rule_facts *f)
{
    return is_person(f) && !f->self && !f->office.guardian && f->target.roles == 0;
}

/* One account, several schools (B2): what concerns the whole of it is not one school's to do, or its administrator
 * would act on people of another. To stop an account is, in need, but not that of another school's staff. */
static bool target_also_elsewhere(const struct rule_facts *f)
{
    bool stops = f->act == ACT_STANDING || f->act == ACT_SESSIONS;
    unsigned counts = stops ? ROLES_STAFF : ROLES_EVERYBODY;
    return is_person(f) && !f->self && !f->office.guardian && (f->office.elsewhere & counts) != 0;
}

/* Nobody fetches another school's people: they come by a link, an approval, or the operator. */
static bool target_only_elsewhere(const struct rule_facts *f)
{
    return is_person(f) && !f->self && f->target.roles == 0 && f->office.elsewhere != 0;
}

/* I4, J2: what the office changes by hand in a record that a roster keeps lasts until the next import. */
static bool roster_keeps(const struct rule_facts *f)
{
    bool own = act_is_one_of(f, OWN_DATA) && (f->self || f->office.guardian);
    return f->office.roster_kept && !f->actor.service && !own;
}

/* --- Guardians --- */

static bool not_own_link(const struct rule_facts *f)
{
    return !f->self;
}

static bool no_pupil(const struct rule_facts *f)
{
    return ((f->actor.roles | f->actor.any_roles) & ROLE_PUPIL) == 0;
}

static bool own_guardian(const struct rule_facts *f)
{
    return f->self;
}

static bool by_childs_contact(const struct rule_facts *f)
{
    return f->office.own_contact;
}

static bool third_guardian(const struct rule_facts *f)
{
    return f->office.guardians >= 2 && !f->office.guardian;
}

static bool neither_guardian_nor_office(const struct rule_facts *f)
{
    return !is_office(f) && !f->office.guardian;
}

static bool not_theirs(const struct rule_facts *f)
{
    return !is_office(f) && !f->office.guardian && !f->self;
}

/* --- F3 --- */

/* Whether both staff and families read what is written here. */
static bool reaches_other_side(const struct rule_facts *f)
{
    switch (f->room.kind) {
    case ROOM_CLASS:
    case ROOM_GUARDIANS:
    case ROOM_ANNOUNCEMENTS:
    case ROOM_SUBJECT: return true;
    case ROOM_DIRECT: return f->pair.staff_to_family;
    case ROOM_FREE:
    case ROOM_CLUB:
        if (f->pair.two)
            return f->pair.staff_to_family;
        return (f->actor.roles & ROLES_STAFF) != 0 ? f->room.has_family : f->room.has_staff;
    default: return false;
    }
}

/* What rings at the other end; receipts, reactions, votes and the like do not. */
static bool written_in_quiet(const struct rule_facts *f, enum quiet_mode mode)
{
    static const char *const TYPES[] = {"m.room.message", "m.room.encrypted", "m.sticker", "m.poll.start",
                                        "org.matrix.msc3381.poll.start"};
    return f->quiet && f->policy->quiet.mode == mode && !f->actor.service &&
           (f->actor.roles & f->policy->quiet.senders) != 0 && reaches_other_side(f) && TYPE_IN(f, TYPES);
}

static bool quiet_refuses(const struct rule_facts *f)
{
    return written_in_quiet(f, QUIET_REFUSE);
}

static bool quiet_delays(const struct rule_facts *f)
{
    return written_in_quiet(f, QUIET_DELAY);
}

static bool quiet_warns(const struct rule_facts *f)
{
    return written_in_quiet(f, QUIET_WARN);
}

/* No sentence gives away a name, of a person or a room (A1). */
static const struct rule RULES[] = {
    {"A3", "account_pending", EVERY_ACT, actor_pending,
     "Ваша учётная запись ещё не подтверждена. Подтвердить её может администратор школы или классный руководитель.",
     "Your account is not confirmed yet. A school administrator or the class teacher can confirm it."},
    {"A3", "account_suspended", EVERY_ACT, actor_suspended,
     "Ваша учётная запись приостановлена: читать можно, остальное — нет. Обратитесь к администратору школы.",
     "Your account is suspended: you can read, but nothing else. Ask a school administrator."},
    {"A3", "account_stopped", EVERY_ACT, actor_stopped,
     "Ваша учётная запись сейчас не может этого делать. Обратитесь к администратору школы.",
     "Your account cannot do this now. Ask a school administrator."},
    {"A1", "not_your_school", IN(ACT_SEE), actor_outside, "Такой комнаты здесь нет.", "There is no such room here."},
    {"A1", "outside_every_school", ENTERING, school_meets_none,
     "Люди школы не входят в комнаты тех, кто ни в какой школе не состоит.",
     "People of a school do not enter the rooms of those who belong to none."},
    {"A2", "outsider", ENTERING, target_outside, "В эту комнату могут войти только участники её школы.",
     "Only people of its school can enter this room."},
    {"A2", "outsider_acts", ROOM_ACTS & ~(IN(ACT_CREATE_ROOM) | IN(ACT_SEE) | IN(ACT_LEAVE)), actor_outside,
     "Это комната школы, участником которой вы не являетесь.", "This room is of a school that you do not belong to."},
    {"A3", "target_not_confirmed", IN(ACT_INVITE) | IN(ACT_JOIN), target_not_confirmed,
     "Этот человек ещё не подтверждён или его учётная запись остановлена.",
     "This person is not confirmed yet, or the account is stopped."},
    {"A5", "third_party_invite", IN(ACT_STATE), invites_by_third_party,
     "Пригласить по телефону или почте нельзя: у людей школы есть учётные записи.",
     "Nobody can be invited by phone or e-mail: the school's people have accounts."},
    {"A6", "stranger", IN(ACT_PROFILE), profile_of_stranger, "Такого человека здесь нет.",
     "There is no such person here."},
    {"E7", "external_searches", IN(ACT_FIND), external_searches,
     "Приглашённые специалисты не ищут людей школы: вас добавят в нужные комнаты.",
     "External staff do not search the school's people: you are added to the rooms you are needed in."},
    {"A6", "not_to_be_found", IN(ACT_FIND), cannot_be_found, "Такого человека здесь нет.",
     "There is no such person here."},
    {"G3", "archived", ENTERING, archive_entered,
     "Это комната прошлого учебного года: её можно только читать, войти в неё нельзя.",
     "This room is of an earlier school year: it can only be read, and nobody enters it any more."},
    {"G3", "archived", WRITING | CHANGING | IN(ACT_STATE) | IN(ACT_KICK) | IN(ACT_BAN) | IN(ACT_UNBAN), archive_changed,
     "Это комната прошлого учебного года: её можно только читать.",
     "This room is of an earlier school year: it can only be read."},
    {"D7", "restricted", EVERY_ACT, actor_restricted,
     "Пока родитель не подтвердил вашу учётную запись, можно читать и писать классному руководителю. Создайте ссылку "
     "для родителя в своём профиле.",
     "Until a parent has confirmed your account, you can read, and write to the class teacher. Make a link for your "
     "parent in your profile."},
    {"E7", "external_alone", TALKING, external_alone, "У приглашённых специалистов нет личных чатов.",
     "External staff have no direct chats."},
    {"E7", "not_named", ENTERING, external_enters,
     "Приглашённые специалисты входят только в те комнаты, в которые их назначила школа.",
     "External staff enter only the rooms for which the school named them."},
    {"E7", "not_named",
     IN(ACT_SEE) | IN(ACT_SEND) | IN(ACT_STATE) | IN(ACT_REDACT) | IN(ACT_KICK) | IN(ACT_BAN) | IN(ACT_UNBAN) |
         IN(ACT_ALIAS) | IN(ACT_PUBLISH) | IN(ACT_UPGRADE_ROOM) | IN(ACT_INVITE),
     external_acts, "Школа не назначила вас в эту комнату.", "The school has not named you for this room."},
    {"E7", "external_creates", IN(ACT_CREATE_ROOM), external_creates,
     "Приглашённые специалисты не создают комнат: школа назначит вас в нужные.",
     "External staff make no rooms: the school names you for those you are needed in."},
    {"E2", "not_in_roster", ENTERING, target_not_held,
     "Состав этой комнаты ведёт школа: в ней те, кто есть в её списках.",
     "The school keeps who is in this room: those who stand in its roster."},
    {"E3", "room_kept_by_school", IN(ACT_CREATE_ROOM), creates_kept_room,
     "Такие комнаты создаёт только сервер, по спискам школы.",
     "Only the server makes such rooms, from the school's roster."},
    {"E3", "room_kept_by_school", CHANGING, keeps_by_member,
     "Эту комнату ведёт школа: её адреса и версию меняет только сервер.",
     "The school keeps this room: only the server changes its addresses and version."},
    {"E9", "encryption_forbidden", IN(ACT_STATE) | IN(ACT_SEND), encrypts,
     "В такой комнате шифрование не включается: так решила школа.",
     "Encryption cannot be turned on in a room of this kind: the school has decided so."},
    {"E3", "state_kept_by_school", IN(ACT_STATE), forges_state,
     "Эту комнату ведёт школа: её название, права и доступ меняет только сервер.",
     "The school keeps this room: only the server changes its name, powers and access."},
    {"E3", "no_post", IN(ACT_STATE), state_without_post, "Менять это может только тот, кому это положено по должности.",
     "Only those who have the post for it can change this."},
    {"E4", "held_by_roster", IN(ACT_LEAVE), target_held,
     "Из этой комнаты нельзя выйти, пока вы числитесь в классе или школе.",
     "You cannot leave this room while the school's roster holds you in it."},
    {"E4", "held_by_roster", IN(ACT_KICK) | IN(ACT_BAN), target_held,
     "Этого человека нельзя исключить: он числится в классе или школе.",
     "This person cannot be removed: the school's roster holds them here."},
    {"E4", "ban_in_roster_room", IN(ACT_BAN), ban_by_member,
     "В комнатах школы никого нельзя заблокировать: состав ведёт школа.",
     "Nobody can be banned in the school's rooms: the school keeps who is in them."},
    {"E1", "space_is_quiet", WRITING, writes_in_space, "Это пространство, а не чат: откройте одну из его комнат.",
     "This is a space, not a chat: open one of its rooms."},
    {"E1", "announcements", WRITING, announces_without_post,
     "В объявления пишут директор, его заместители и администраторы школы; читают их все.",
     "The head, the deputies and the school's administrators write announcements; everyone reads them."},
    {"E6", "documents_private", ENTERING, documents_entered,
     "Это личные документы: кроме их владельца, сюда никто не входит.",
     "These are somebody's own documents: nobody but their owner enters."},
    {"E6", "documents_private", IN(ACT_SEE) | IN(ACT_ALIAS) | IN(ACT_PUBLISH), documents_shown,
     "Личные документы никому не показываются.", "Somebody's own documents are shown to nobody."},
    {"E6", "library", IN(ACT_SEND) | IN(ACT_STATE) | IN(ACT_REDACT), library_written,
     "В библиотеку добавляют сотрудники школы; читают её все.",
     "The school's staff add to the library; everyone reads it."},
    {"E8", "association", ENTERING, association_entered, "В объединение учителей входят только сотрудники его школ.",
     "Only staff of its schools enter an association of teachers."},
    {"E8", "association", IN(ACT_CREATE_ROOM), association_created,
     "Объединение учителей создают только сотрудники школ.", "Only staff make an association of teachers."},
    {"F2", "third_person", ENTERING, third_person,
     "Это личный чат двух человек: третьего в него не добавить. Создайте другую комнату.",
     "This is a direct chat of two: nobody else can be added. Make another room."},
    {"F2", "direct_is_private", IN(ACT_SEE), direct_seen, "Такой комнаты здесь нет.", "There is no such room here."},
    {"F2", "direct_has_no_address", IN(ACT_ALIAS) | IN(ACT_PUBLISH), direct_addressed,
     "У личного чата нет адреса, и в каталог он не попадает.",
     "A direct chat has no address, and is not listed in the directory."},
    {"F2", "direct_has_no_name", IN(ACT_STATE), direct_named,
     "У личного чата нет ни названия, ни адреса, ни пространства: он остаётся личным чатом двух человек.",
     "A direct chat has no name, address or space: it stays a direct chat of two."},
    {"F1", "no_relation", TALKING | IN(ACT_CREATE_ROOM), strangers_talk,
     "Личный чат с этим человеком невозможен: вас не связывают ни класс, ни предмет, ни семья.",
     "There can be no direct chat with this person: neither a class nor a subject nor a family connects you."},
    {"F1", "relation_forbidden", TALKING | IN(ACT_CREATE_ROOM), relation_forbidden,
     "Личный чат с этим человеком невозможен: так решила школа.",
     "There can be no direct chat with this person: the school has decided so."},
    {"E5", "may_not_make_direct", IN(ACT_CREATE_ROOM), makes_direct,
     "Личные чаты в вашей школе вы не создаёте: так решила школа.",
     "You cannot start direct chats: the school has decided so."},
    {"E5", "may_not_make_rooms", IN(ACT_CREATE_ROOM), makes_club,
     "Комнаты создают те, кому это разрешила школа: попросите учителя.",
     "Those make rooms whom the school lets: ask a teacher."},
    {"E5", "staff_missing", ENTERING, enters_without_staff,
     "В комнате, которую создали ученики, третьим должен быть сотрудник школы: сначала пусть войдёт он.",
     "In a room that pupils made, somebody of the staff must be among any three: let them come in first."},
    {"E5", "staff_missing", IN(ACT_SEND) | IN(ACT_STATE), writes_without_staff,
     "В этой комнате нет сотрудника школы: пока он не войдёт, писать в ней нельзя.",
     "Nobody of the staff is in this room: until somebody comes in, nobody can write here."},
    {"E9", "encryption_required", IN(ACT_SEND), writes_in_clear,
     "В такой комнате пишут только с шифрованием: включите его в настройках комнаты.",
     "In a room of this kind messages are encrypted: turn encryption on in the room's settings."},
    {"F4", "may_not_start_polls", IN(ACT_SEND), starts_poll, "Опросы начинают те, кому это разрешила школа.",
     "Those start polls whom the school lets."},
    {"B3", "name_from_roster", IN(ACT_NAME), actor_held, "Ваше имя здесь такое, как в списках школы.",
     "Your name here is the one in the school's roster."},
    {"C1", "may_not_approve", IN(ACT_APPROVE), may_not_approve,
     "Заявки рассматривает администратор школы или классный руководитель, если школа ему это поручила.",
     "A school administrator decides on applications, or the class teacher, if the school lets them."},
    {"C2", "may_not_link", IN(ACT_LINK), may_not_link,
     "Ссылки-приглашения создаёт администратор школы или классный руководитель своего класса.",
     "A school administrator makes invite links, or the class teacher for their own class."},
    {"C2", "staff_role", IN(ACT_LINK) | IN(ACT_APPROVE), gives_staff_role,
     "Классный руководитель приглашает учеников и родителей; сотрудников принимает администратор школы.",
     "A class teacher invites pupils and parents; a school administrator takes in staff."},
    {"D1", "not_your_link", IN(ACT_GUARDIAN_LINK), not_own_link,
     "Ссылку для родителя создаёт сам ученик, в своём профиле.",
     "Only the pupil makes the link for a parent, in the own profile."},
    {"D1", "not_a_pupil", IN(ACT_GUARDIAN_LINK), no_pupil, "Ссылку для родителя создаёт ученик.",
     "It is a pupil who makes a link for a parent."},
    {"D4", "own_session", IN(ACT_BECOME_GUARDIAN), own_guardian,
     "Эта ссылка — для родителя, а открыта она под учётной записью ученика. Откройте её на другом устройстве, в другом "
     "браузере или в режиме инкогнито, либо выйдите из учётной записи ученика.",
     "This link is for a parent, but it was opened under the pupil's own account. Open it on another device, in "
     "another browser or a private window, or sign the pupil out first."},
    {"D4", "own_contact", IN(ACT_BECOME_GUARDIAN), by_childs_contact,
     "Родителю нужен собственный телефон или почта, а не те, что у ребёнка.",
     "A parent needs a phone number or e-mail of their own, not the child's."},
    {"D5", "two_guardians", IN(ACT_BECOME_GUARDIAN), third_guardian,
     "У ребёнка уже есть два родителя или законных представителя. Если это ошибка, обратитесь к администратору школы.",
     "The child already has two guardians. If that is a mistake, ask a school administrator."},
    {"D7", "not_your_child", IN(ACT_END_GUARDIAN), neither_guardian_nor_office,
     "Отказаться может сам родитель, исправить — администратор школы.",
     "Only the guardian themself can withdraw, and a school administrator can correct it."},
    {"D8", "not_your_child", IN(ACT_CHILD), neither_guardian_nor_office,
     "Это видят только родители этого ребёнка и администратор школы.",
     "Only the child's own guardians and a school administrator see this."},
    {"F5", "accused", IN(ACT_REPORTS), is_accused, "Жалобу на себя рассматривает не тот, на кого она подана.",
     "Nobody deals with a report against themself."},
    {"F5", "may_not_settle_reports", IN(ACT_REPORTS), may_not_settle_reports,
     "Жалобы рассматривают администратор школы и классный руководитель.",
     "A school administrator and the class teacher deal with reports."},
    {"A4", "records", IN(ACT_RECORDS_READ), may_not_read_records,
     "Списки школы видит её администратор; классный руководитель — свой класс, если так решила школа.",
     "A school administrator sees the school's records; the class teacher those of the class, if the school lets "
     "them."},
    {"A4", "office",
     IN(ACT_RECORDS_WRITE) | IN(ACT_IMPORT) | IN(ACT_POLICY) | IN(ACT_AUDIT) | IN(ACT_STANDING) | IN(ACT_SESSIONS) |
         IN(ACT_ROOMS_WRITE),
     not_office, "Это делает администратор школы.", "A school administrator does this."},
    {"G1", "not_yours", IN(ACT_LEAVE_SCHOOL), not_theirs,
     "Покинуть школу может сам человек, за ребёнка — родитель; исключить — администратор школы.",
     "People leave the school themselves, a guardian for a child; a school administrator can remove them."},
    {"G4", "not_yours", IN(ACT_EXPORT) | IN(ACT_ERASE), not_theirs,
     "Выгрузить или удалить данные может сам человек, за ребёнка — родитель, или администратор школы.",
     "Data is exported or erased by the person, for a child by a guardian, or by a school administrator."},
    {"A1", "not_of_this_school", IN(ACT_STANDING) | IN(ACT_SESSIONS) | OWN_DATA, target_of_other_school,
     "В этой школе такого человека нет.", "There is no such person in this school."},
    {"A1", "also_of_another_school",
     IN(ACT_STANDING) | IN(ACT_SESSIONS) | IN(ACT_EXPORT) | IN(ACT_ERASE) | IN(ACT_LINK), target_also_elsewhere,
     "Эта учётная запись принадлежит не только вашей школе: обратитесь к оператору сервера.",
     "This account is not your school's alone: ask the operator of the server."},
    {"A1", "of_another_school", IN(ACT_RECORDS_WRITE), target_only_elsewhere,
     "Этот человек из другой школы: он придёт к вам по ссылке, или его добавит оператор сервера.",
     "This person is of another school: they come by a link, or the operator of the server adds them."},
    {"I4", "roster_kept", IN(ACT_RECORDS_WRITE) | IN(ACT_LEAVE_SCHOOL) | IN(ACT_ERASE), roster_keeps,
     "Эту запись ведут списки школы: исправьте её в дневнике. Если нужно сейчас, укажите причину: правка действует до "
     "следующей загрузки списков.",
     "A roster keeps this record: correct it there. If it cannot wait, give a reason: the change lasts until the "
     "roster's next import.",
     .overridable = true},
    {"F3", "quiet_hours", IN(ACT_SEND), quiet_refuses,
     "Сейчас тихие часы: школа и семьи друг другу не пишут. Напишите, когда они закончатся.",
     "These are quiet hours: school and families do not write to each other. Write when they are over."},
    {"F3", "quiet_hours_hold", IN(ACT_SEND), quiet_delays,
     "Сейчас тихие часы: сообщение будет доставлено, когда они закончатся.",
     "These are quiet hours: the message will be delivered when they are over.", .kind = VERDICT_HOLD},
    {"F3", "quiet_hours_warn", IN(ACT_SEND), quiet_warns,
     "Сейчас тихие часы: подумайте, не подождёт ли сообщение до утра.",
     "These are quiet hours: consider whether the message can wait until they are over.", .kind = VERDICT_WARN},
};
#define RULES_COUNT ((int)(sizeof RULES / sizeof *RULES))

static const struct verdict ALLOWED = {.allowed = true, .rule = "", .code = "", .sentence_ru = "", .sentence_en = ""};

int rules_count(void)
{
    return RULES_COUNT;
}

struct verdict rules_row(int i)
{
    return (struct verdict){.allowed = RULES[i].kind != VERDICT_REFUSE,
                            .kind = RULES[i].kind,
                            .overridable = RULES[i].overridable,
                            .rule = RULES[i].rule,
                            .code = RULES[i].code,
                            .sentence_ru = RULES[i].ru,
                            .sentence_en = RULES[i].en};
}

/* J2: only an office can insist, and only where the row lets it. */
static bool speaks(const struct rule *rule, const struct rule_facts *f)
{
    if ((rule->acts & IN(f->act)) == 0 || !rule->applies(f))
        return false;
    return !(rule->overridable && f->office.override_ && is_office(f));
}

struct verdict rules_decide(const struct rule_facts *facts)
{
    if (!facts->school_mode)
        return ALLOWED;
    for (int i = 0; i < RULES_COUNT; ++i)
        if (speaks(&RULES[i], facts))
            return rules_row(i);
    return ALLOWED;
}

void rules_explain(const struct rule_facts *facts, struct verdict *out, int max, int *n)
{
    *n = 0;
    for (int i = 0; facts->school_mode && i < RULES_COUNT && *n < max; ++i)
        if (speaks(&RULES[i], facts))
            out[(*n)++] = rules_row(i);
}

static const char *const ACTS[] = {
    [ACT_CREATE_ROOM] = "create_room",
    [ACT_UPGRADE_ROOM] = "upgrade_room",
    [ACT_INVITE] = "invite",
    [ACT_JOIN] = "join",
    [ACT_KNOCK] = "knock",
    [ACT_LEAVE] = "leave",
    [ACT_KICK] = "kick",
    [ACT_BAN] = "ban",
    [ACT_UNBAN] = "unban",
    [ACT_SEND] = "send",
    [ACT_STATE] = "state",
    [ACT_REDACT] = "redact",
    [ACT_ALIAS] = "alias",
    [ACT_PUBLISH] = "publish",
    [ACT_SEE] = "see",
    [ACT_NAME] = "name",
    [ACT_PROFILE] = "profile",
    [ACT_FIND] = "find",
    [ACT_SIGNAL] = "signal",
    [ACT_REPORT] = "report",
    [ACT_APPROVE] = "approve",
    [ACT_LINK] = "link",
    [ACT_GUARDIAN_LINK] = "guardian_link",
    [ACT_BECOME_GUARDIAN] = "become_guardian",
    [ACT_END_GUARDIAN] = "end_guardian",
    [ACT_CHILD] = "child",
    [ACT_RECORDS_READ] = "records_read",
    [ACT_RECORDS_WRITE] = "records_write",
    [ACT_IMPORT] = "import",
    [ACT_POLICY] = "policy",
    [ACT_REPORTS] = "reports",
    [ACT_AUDIT] = "audit",
    [ACT_STANDING] = "standing",
    [ACT_SESSIONS] = "sessions",
    [ACT_EXPORT] = "export",
    [ACT_ERASE] = "erase",
    [ACT_LEAVE_SCHOOL] = "leave_school",
    [ACT_ROOMS_WRITE] = "rooms_write",
};
_Static_assert(sizeof ACTS / sizeof *ACTS == ACT__COUNT, "every act has a name");

const char *act_name(enum act act)
{
    return ACTS[act];
}

bool act_from(const char *name, enum act *out)
{
    for (int i = 0; name != NULL && i < ACT__COUNT; ++i) {
        if (strcmp(ACTS[i], name) == 0) {
            *out = (enum act)i;
            return true;
        }
    }
    return false;
}
