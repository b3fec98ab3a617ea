#include "policy/rules/rules.h"

#include <stddef.h>
#include <string.h>

#include "homeserver/base/words.h"
#include "policy/rules/event_types.h"

#define IN(act) (UINT64_C(1) << (act))
_Static_assert(ACT__COUNT <= 64, "a row's acts are the bits of one word");

/* A row refuses when the act is one of its acts and applies answers true. */
struct rule {
    enum rule_refusal refusal;
    uint64_t acts;
    bool (*applies)(const struct rule_facts *f);
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
#define SPEAKING /* F3: every event in a room, its address and its place in the directory: all can carry words */      \
    (TALKING | IN(ACT_REDACT) | IN(ACT_LEAVE) | IN(ACT_KICK) | IN(ACT_BAN) | IN(ACT_UNBAN) | CHANGING)
#define OWN_DATA (IN(ACT_EXPORT) | IN(ACT_ERASE) | IN(ACT_LEAVE_SCHOOL))
#define RECORDS (IN(ACT_RECORDS_WRITE) | IN(ACT_IDENTITY) | IN(ACT_ROLES) | IN(ACT_GUARDIANSHIP))
#define OFFICE_ACTS (EVERY_ACT & ~(IN(ACT_APPROVE) - 1)) /* those that are about somebody's records */
/* Effects of the office on a person's records, account or standing, with the secrets that open them: J4. To read is
 * none, nor is what a family has of itself (D1, D2, D7, D8). */
#define ABOUT_PEOPLE                                                                                                   \
    (RECORDS | OWN_DATA | IN(ACT_CLAIM) | IN(ACT_APPROVE) | IN(ACT_LINK) | IN(ACT_CUSTODY) | IN(ACT_REPORTS) |         \
     IN(ACT_STANDING) | IN(ACT_SESSIONS) | IN(ACT_ROOMS_WRITE))
/* What cannot be taken back, or is done to others: not by whoever holds a personal link that somebody else may have
 * kept (J4). To look at one's own data or a child's is neither. */
#define LASTING (OFFICE_ACTS & ~(IN(ACT_CHILD) | IN(ACT_RECORDS_READ) | IN(ACT_AUDIT)))
/* What reaches a person, or a child's family, in all their schools. */
#define WHOLE_ACCOUNT                                                                                                  \
    (IN(ACT_STANDING) | IN(ACT_SESSIONS) | IN(ACT_EXPORT) | IN(ACT_ERASE) | IN(ACT_LINK) | IN(ACT_IDENTITY) |          \
     IN(ACT_GUARDIANSHIP) | IN(ACT_CUSTODY))

static bool is_roster_room(const struct rule_facts *f)
{
    return room_kind_is_roster(f->room.kind);
}

/* Made and kept by the server: the roster's rooms, and the library. */
static bool is_kept_room(const struct rule_facts *f)
{
    return is_roster_room(f) || f->room.kind == ROOM_LIBRARY;
}

/* A person's own, made by the server: documents (E6), and what the server tells them. */
static bool is_own_room(const struct rule_facts *f)
{
    return f->room.kind == ROOM_DOCUMENTS || f->room.kind == ROOM_NOTICES;
}

/* What people of a school made for talking, without the school's saying who is in it. */
static bool is_peoples_room(const struct rule_facts *f)
{
    return f->room.kind == ROOM_DIRECT || f->room.kind == ROOM_CLUB ||
           (f->room.kind == ROOM_FREE && f->room.has_school);
}

static bool stands(const struct person_facts *person)
{
    return person->service || account_state_may_act(person->account);
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
    return is_person(f) && f->actor.account == ACCOUNT_PENDING && !own && f->act != ACT_BECOME_GUARDIAN;
}

/* Whoever is suspended may still read, go, and take back what they wrote (Client-Server API, "Account suspension"); and
 * ask for help, look after a child, and have what is theirs (G1, G4). */
#define SUSPENDED_MAY                                                                                                  \
    (IN(ACT_LEAVE) | IN(ACT_SEE) | IN(ACT_PROFILE) | IN(ACT_FIND) | IN(ACT_SIGNAL) | IN(ACT_NOTIFY) | IN(ACT_REPORT) | \
     IN(ACT_CHILD))

static bool actor_suspended(const struct rule_facts *f)
{
    bool own = f->self && act_is_one_of(f, OWN_DATA | IN(ACT_REDACT));
    return is_person(f) && f->actor.account == ACCOUNT_SUSPENDED && !own && !act_is_one_of(f, SUSPENDED_MAY);
}

static bool actor_stopped(const struct rule_facts *f)
{
    return is_person(f) && (f->actor.account == ACCOUNT_LOCKED || f->actor.account == ACCOUNT_LEFT);
}

/* Who is suspended or locked for a while can do nothing, but keeps their place: the roster may even give them a new
 * one. */
static bool target_not_confirmed(const struct rule_facts *f)
{
    bool paused = f->target.account == ACCOUNT_SUSPENDED || f->target.account == ACCOUNT_LOCKED;
    return !stands(&f->target) && !(paused && f->actor.service);
}

/* --- A1, A2 --- */

/* Somebody was in a room that people of no school made before they came to a school, and is called otherwise now:
 * nobody enters. */
static bool is_renamed_there(const struct rule_facts *f)
{
    return f->act == ACT_JOIN && f->actor.service && f->target.joined && !f->room.has_school;
}

/* Somebody of a school, and a room that people of none made. */
static bool school_meets_none(const struct rule_facts *f)
{
    return !f->room.has_school && !f->target.service && !f->target.member && !is_renamed_there(f);
}

static bool target_outside(const struct rule_facts *f)
{
    return !f->target.service && !f->target.member && !is_renamed_there(f);
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

#define RESTRICTED_MAY (SUSPENDED_MAY | OWN_DATA | IN(ACT_REDACT) | IN(ACT_GUARDIAN_LINK) | IN(ACT_RECORDS_READ))

static bool actor_restricted(const struct rule_facts *f)
{
    if (!is_person(f) || f->actor.account != ACCOUNT_RESTRICTED || act_is_one_of(f, RESTRICTED_MAY))
        return false;
    switch (f->act) {
    case ACT_CREATE_ROOM:
    case ACT_STATE: return !restricted_may_begin(f);
    case ACT_JOIN: /* where the school puts them, where everybody reads, where they may write */
        return !f->target.joined && !is_kept_room(f) && !is_own_room(f) && !restricted_may_begin(f);
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
    return f->room.kind == ROOM_ARCHIVE && !f->target.service && !f->target.joined && !f->target.returns;
}

/* --- E7: external staff --- */

/* Their own documents apart, named rooms only; the roster may hold them too. */
static bool is_no_room_of(const struct rule_facts *f, const struct person_facts *person)
{
    return is_external(person) && !person->named && !person->held && !(is_own_room(f) && person->owner);
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
    return is_kept_room(f) && !f->actor.service && WORD_FIND(FOUNDING_STATE, f->event_type) >= 0;
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
    return is_own_room(f) && !f->target.service && !f->target.owner;
}

static bool documents_shown(const struct rule_facts *f)
{
    return is_own_room(f) && !f->actor.service && !(f->act == ACT_SEE && f->actor.owner);
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

/* Who never was in it is not told of a chat of two by a ban from it. */
static bool bans_third_person(const struct rule_facts *f)
{
    return f->room.kind == ROOM_DIRECT && !f->actor.service && !f->target.service && !f->target.direct_pair &&
           !f->target.there;
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
    return direct_addressed(f) && WORD_FIND(TYPES, f->event_type) >= 0;
}

/* --- F1 --- */

static bool talk_needs_leave(const struct rule_facts *f)
{
    bool entering = act_is_one_of(f, ENTERING);
    if (!f->pair.two || !is_peoples_room(f) || f->pair.allowed != 0)
        return false;
    if (entering)
        return !f->target.service && !f->target.joined && (!f->target.returns || f->pair.apart);
    return !f->actor.service;
}

/* They are nothing to each other. Somebody whom the office named for a room may enter it, but as long as there are only
 * two, neither writes: it would be a direct chat (E7). */
static bool strangers_talk(const struct rule_facts *f)
{
    return f->pair.relations == 0 && !f->pair.apart && talk_needs_leave(f) &&
           !(act_is_one_of(f, ENTERING) && f->target.named);
}

/* D9: where the two talked before; who would begin anew is told of an outsider (A2). */
static bool relation_forbidden(const struct rule_facts *f)
{
    return (f->pair.relations != 0 || f->pair.apart) && talk_needs_leave(f);
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

/* A pupils' room is one where pupils are and nobody of the staff is, whoever made it: who left, or is locked, answers
 * for nobody. */
static bool is_pupils_room(const struct rule_facts *f)
{
    bool pupil_comes = act_is_one_of(f, ENTERING) && (f->target.roles & ROLE_PUPIL) != 0;
    return f->policy->staff_in_pupils_rooms && (f->room.has_pupil || pupil_comes) && !f->room.staff_present &&
           f->room.kind != ROOM_DIRECT && is_peoples_room(f);
}

/* So that the third to come is somebody of the staff, or comes once somebody of the staff is there. */
static bool enters_without_staff(const struct rule_facts *f)
{
    return is_pupils_room(f) && f->room.n_people >= 3 && !f->target.service && !f->target.joined &&
           !f->target.returns && (f->target.roles & ROLES_STAFF) == 0;
}

static bool writes_without_staff(const struct rule_facts *f)
{
    return is_pupils_room(f) && f->room.n_people >= 3 && !f->actor.service;
}

/* Pupils among themselves, whatever power a teacher left them, change what the room looks like and who is in a call,
 * and nothing else: not who may come, see, or do what, nor what replaces it. The state that a room begins with is there
 * before the second comes. */
static bool opens_without_staff(const struct rule_facts *f)
{
    static const char *const LOOKS[] = {"m.room.name", "m.room.topic", "m.room.avatar", "m.room.pinned_events"};
    bool looks = f->act == ACT_STATE &&
                 (WORD_FIND(LOOKS, f->event_type) >= 0 || event_kind_of(f->event_type) == EVENT_CALL_MEMBER ||
                  event_kind_of(f->event_type) == EVENT_ENCRYPTION);
    return is_pupils_room(f) && f->room.n_people >= 2 && !f->actor.service && !looks;
}

static bool seen_without_staff(const struct rule_facts *f)
{
    return is_pupils_room(f) && !f->actor.service && !f->actor.joined && (f->actor.roles & ROLES_STAFF) == 0;
}

/* An address is a text that everybody can read who may see the room. */
static bool names_without_answering(const struct rule_facts *f)
{
    return is_peoples_room(f) && !f->actor.service && !f->actor.owner && (f->actor.roles & ROLES_STAFF) == 0;
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
    enum event_kind kind = event_kind_of(f->event_type);
    if (encryption_of(f) != ENCRYPTION_FORBIDDEN)
        return false;
    if (f->act == ACT_STATE)
        return kind == EVENT_ENCRYPTION || kind == EVENT_ENCRYPTED;
    return kind == EVENT_ENCRYPTED && !f->room.encrypted;
}

bool rules_strip_encryption(const struct rule_facts *f)
{
    return encrypts(f) && f->policy->encryption_new_rooms == NEW_ROOMS_STRIP;
}

enum encryption_rule rules_encryption(const struct rule_facts *f)
{
    return encryption_of(f);
}

/* What says nothing needs no hiding; how somebody votes does. */
static bool may_stand_in_clear(const struct rule_facts *f)
{
    enum event_kind kind = event_kind_of(f->event_type);
    return kind == EVENT_ENCRYPTED || (f->wordless && kind != EVENT_POLL_VOTE);
}

static bool writes_in_clear(const struct rule_facts *f)
{
    return encryption_of(f) == ENCRYPTION_REQUIRED && !f->actor.service && !may_stand_in_clear(f);
}

/* --- F4 --- */

static bool starts_poll(const struct rule_facts *f)
{
    bool school = f->room.kind != ROOM_FREE || f->room.has_school;
    return school && !f->actor.service && (f->actor.roles & f->policy->polls) == 0 &&
           event_kind_of(f->event_type) == EVENT_POLL_START;
}

/* --- B3: what somebody is called tells who they are in the school --- */

static bool actor_held(const struct rule_facts *f)
{
    return !f->actor.service && f->actor.held;
}

/* --- A6 --- */

/* D9: who sees nothing of the other, wherever they meet. */
static bool is_kept_apart(const struct rule_facts *f)
{
    return f->pair.apart || f->pair.parted;
}

static bool profile_of_stranger(const struct rule_facts *f)
{
    bool met = f->target.member || f->target.shares_room || f->pair.relations != 0;
    return is_person(f) && !f->self && !f->target.service && (!met || is_kept_apart(f));
}

/* People of no school find each other, as if there were no schools. */
static bool cannot_be_found(const struct rule_facts *f)
{
    bool schoolless = f->actor.any_roles == 0 && f->target.any_roles == 0 && !is_kept_apart(f);
    return is_person(f) && !f->self && (!stands(&f->target) || (f->pair.allowed == 0 && !schoolless));
}

/* --- D9: in words that a stranger hears, too --- */

static bool meets_whom_it_may_not(const struct rule_facts *f)
{
    return f->target.kept_out && !f->target.joined;
}

static bool sees_whom_it_may_not(const struct rule_facts *f)
{
    return f->actor.kept_out;
}

static bool is_kept_from(const struct rule_facts *f)
{
    return f->office.apart;
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

/* Whoever is kept from somebody brings the two together by no act of theirs, and others of the office only with a
 * reason. */
static bool brings_oneself_together(const struct rule_facts *f)
{
    return f->office.meets && (f->office.party || !is_office(f));
}

static bool brings_together(const struct rule_facts *f)
{
    return f->office.meets && !f->actor.service;
}

/* Whom the office knows of, and a class teacher need not, may come again by another account. The office alone is told
 * that there is something; others, that it is not for them. */
static bool admits_unasked(const struct rule_facts *f)
{
    return f->office.settled && !f->actor.service;
}

static bool admits_without_office(const struct rule_facts *f)
{
    return f->office.settled && !is_office(f);
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

/* J4 */
static bool decides_for_oneself(const struct rule_facts *f)
{
    return f->self && !f->office.operator_;
}

/* J4: a token makes nobody who may do more than itself, and hands out no account that may. */
static bool gives_more_than_token(const struct rule_facts *f)
{
    return f->office.operator_ && f->office.beyond;
}

/* J4: a personal link makes its holder somebody else. The office prints it: not who is with the people every day. */
static bool hands_out(const struct rule_facts *f)
{
    return !is_office(f) && f->office.hands_out;
}

/* J4: somebody else than who made the link says that the right person holds it: the office, the class teacher, who
 * knows them, or a child's guardian. */
static bool may_not_confirm(const struct rule_facts *f)
{
    return !is_office(f) && !f->office.class_teacher && !f->office.guardian;
}

static bool is_unconfirmed(const struct rule_facts *f)
{
    return is_person(f) && f->office.unconfirmed && !(f->act == ACT_SESSIONS && f->self);
}

static bool may_not_settle_reports(const struct rule_facts *f)
{
    return !is_office(f) && !is_class_office(f, CLASS_TEACHER_REPORTS);
}

static bool may_not_read_records(const struct rule_facts *f)
{
    return !is_office(f) && !f->self && !f->office.guardian && !is_class_office(f, CLASS_TEACHER_PEOPLE);
}

/* --- H1 --- */

/* What the office lets somebody do about others, and nothing of what they are as a person or a parent (B2): chats go
 * on, or a class would lose its teacher; what a stolen password opens beyond them waits for the code. */
#define FACTOR_ACTS (OFFICE_ACTS & ~(IN(ACT_GUARDIAN_LINK) | IN(ACT_BECOME_GUARDIAN)))

static bool acts_without_factor(const struct rule_facts *f)
{
    return is_person(f) && f->actor.factor_missing && !f->self && !f->office.guardian;
}

/* What is read or heard by a whole school. */
static bool announces_without_factor(const struct rule_facts *f)
{
    return is_person(f) && f->actor.factor_missing && (f->urgent.marked || f->room.kind == ROOM_ANNOUNCEMENTS);
}

/* J4 */
static bool eases_own_factor(const struct rule_facts *f)
{
    return is_person(f) && f->office.eases_own;
}

static bool is_accused(const struct rule_facts *f)
{
    return f->office.accused;
}

/* One's own data and sessions, and a child's data: by oneself, in whatever schools (G1, G4, H1); and to say that a
 * child is who they are (J4). */
static bool is_familys_own(const struct rule_facts *f)
{
    return act_is_one_of(f, OWN_DATA | IN(ACT_CLAIM)) ? f->self || f->office.guardian
                                                      : f->act == ACT_SESSIONS && f->self;
}

/* J4: what they have as a family apart, whose family it is does not decide about it. */
static bool decides_for_family(const struct rule_facts *f)
{
    return f->office.own_family && !is_familys_own(f);
}

/* J4: whoever made the link may be who comes by it. The class teacher and a token do not let them in at all; an
 * administrator, who may be the only one, says why. */
static bool invited_them(const struct rule_facts *f)
{
    return f->office.own_link && (f->office.operator_ || (f->actor.roles & ROLE_ADMINISTRATOR) == 0);
}

static bool office_invited_them(const struct rule_facts *f)
{
    return f->office.own_link;
}

/* A1: an office's arm reaches as far as its school. */
static bool target_of_other_school(const struct rule_facts *f)
{
    return is_person(f) && !is_familys_own(f) && f->target.roles == 0;
}

/* One account, several schools (B2): what reaches the whole of it is not one school's to do, or its administrator would
 * act on people of another. In need, a school ends the roles that are its own. */
static bool target_also_elsewhere(const struct rule_facts *f)
{
    return is_person(f) && !is_familys_own(f) && f->office.elsewhere != 0;
}

/* Nobody fetches another school's people: they come by a link, an approval, or the operator. */
static bool target_only_elsewhere(const struct rule_facts *f)
{
    return is_person(f) && !f->self && f->target.roles == 0 && f->office.elsewhere != 0;
}

/* I4, J2: what the office changes by hand in a record that a roster keeps lasts until the next import. */
static bool roster_keeps(const struct rule_facts *f)
{
    return f->office.roster_kept && !f->actor.service && !is_familys_own(f);
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

/* A schoolmate is nobody's parent: a pupil must be known to be of age, and so must whoever asks to be a pupil. */
static bool child_as_guardian(const struct rule_facts *f)
{
    bool asked = f->act == ACT_BECOME_GUARDIAN || f->office.role == ROLE_GUARDIAN;
    const struct standing_facts *said = &f->office.said;
    return asked && (said->age == AGE_MINOR || (said->pupil && said->age != AGE_ADULT));
}

static bool parent_as_pupil(const struct rule_facts *f)
{
    return f->office.role == ROLE_PUPIL && f->office.said.guardian && f->office.said.age != AGE_ADULT;
}

static bool minor_as_staff(const struct rule_facts *f)
{
    return (f->office.role & (unsigned)ROLES_STAFF) != 0 &&
           (f->office.said.age == AGE_MINOR || f->target.account == ACCOUNT_RESTRICTED);
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

/* In a club, by who is in it or asked in; where who is not in it can read, everybody does. An address and the directory
 * are for those who are not in it. */
static bool club_reaches_other_side(const struct rule_facts *f)
{
    bool staff = (f->actor.roles & ROLES_STAFF) != 0;
    bool asks_in = f->act == ACT_INVITE && (f->target.roles & (staff ? ROLES_FAMILY : ROLES_STAFF)) != 0;
    if (f->room.open || act_is_one_of(f, IN(ACT_ALIAS) | IN(ACT_PUBLISH)))
        return true;
    if (f->pair.two)
        return f->pair.staff_to_family;
    return asks_in || (staff ? f->room.has_family : f->room.has_staff);
}

/* Whether both staff and families read what is written here: everywhere but where they are known to be among
 * themselves. */
static bool reaches_other_side(const struct rule_facts *f)
{
    switch (f->room.kind) {
    case ROOM_STAFF:
    case ROOM_ASSOCIATION:
    case ROOM_DOCUMENTS:
    case ROOM_NOTICES: return false;
    case ROOM_DIRECT: return f->pair.staff_to_family;
    case ROOM_FREE:
    case ROOM_CLUB: return club_reaches_other_side(f);
    default: return true;
    }
}

/* --- F6 --- */

#define URGENT_A_DAY 5

static bool may_not_urge(const struct rule_facts *f)
{
    return f->urgent.marked && !f->actor.service && (f->actor.roles & f->policy->quiet.urgent) == 0;
}

static bool urges_without_reason(const struct rule_facts *f)
{
    return f->urgent.marked && !f->actor.service && !f->urgent.reason;
}

static bool urges_too_often(const struct rule_facts *f)
{
    return f->urgent.marked && !f->actor.service && f->urgent.today >= URGENT_A_DAY;
}

/* Everything that says something, by whatever act; an invite also by what stands in the room already. */
static bool speaks_in_quiet(const struct rule_facts *f, enum quiet_mode mode)
{
    bool free = f->urgent.marked || (f->wordless && !(f->act == ACT_INVITE && f->room.worded));
    return f->quiet && f->policy->quiet.mode == mode && !f->actor.service &&
           (f->actor.roles & f->policy->quiet.senders) != 0 && !free && reaches_other_side(f);
}

static bool quiet_refuses(const struct rule_facts *f)
{
    return speaks_in_quiet(f, QUIET_REFUSE);
}

/* A message can come later; a call, a changed room or somebody's coming or going cannot. */
static bool quiet_cannot_wait(const struct rule_facts *f)
{
    enum event_kind kind = event_kind_of(f->event_type);
    bool waits = f->act == ACT_SEND && kind != EVENT_CALL && kind != EVENT_CALL_END;
    return !waits && speaks_in_quiet(f, QUIET_DELAY);
}

static bool quiet_delays(const struct rule_facts *f)
{
    return speaks_in_quiet(f, QUIET_DELAY);
}

static bool quiet_warns(const struct rule_facts *f)
{
    return speaks_in_quiet(f, QUIET_WARN);
}

/* No phone rings, whatever may be written; what is urgent, and so was let through, does. */
static bool rings_in_quiet(const struct rule_facts *f)
{
    return f->quiet && !f->policy->quiet.push && !f->urgent.marked;
}

static const struct rule RULES[] = {
    {RULE_A3_ACCOUNT_PENDING, EVERY_ACT, actor_pending},
    {RULE_A3_ACCOUNT_SUSPENDED, EVERY_ACT, actor_suspended},
    {RULE_A3_ACCOUNT_STOPPED, EVERY_ACT, actor_stopped},
    {RULE_A1_NOT_YOUR_SCHOOL, IN(ACT_SEE), actor_outside},
    {RULE_A1_OUTSIDE_EVERY_SCHOOL, ENTERING, school_meets_none},
    {RULE_A2_OUTSIDER, ENTERING, target_outside},
    {RULE_A2_OUTSIDER_ACTS, ROOM_ACTS & ~(IN(ACT_CREATE_ROOM) | IN(ACT_SEE) | IN(ACT_LEAVE)), actor_outside},
    {RULE_A3_TARGET_NOT_CONFIRMED, IN(ACT_INVITE) | IN(ACT_JOIN), target_not_confirmed},
    {RULE_A5_THIRD_PARTY_INVITE, IN(ACT_STATE), invites_by_third_party},
    {RULE_A6_STRANGER, IN(ACT_PROFILE), profile_of_stranger},
    {RULE_E7_EXTERNAL_SEARCHES, IN(ACT_FIND), external_searches},
    {RULE_A6_NOT_TO_BE_FOUND, IN(ACT_FIND), cannot_be_found},
    {RULE_G3_ARCHIVED_ENTERED, ENTERING, archive_entered},
    {RULE_G3_ARCHIVED, WRITING | CHANGING | IN(ACT_STATE) | IN(ACT_KICK) | IN(ACT_BAN) | IN(ACT_UNBAN),
     archive_changed},
    {RULE_J4_UNCONFIRMED, LASTING, is_unconfirmed},
    {RULE_D4_OWN_SESSION, IN(ACT_BECOME_GUARDIAN), own_guardian},
    {RULE_D2_ADULTS_ONLY, IN(ACT_BECOME_GUARDIAN) | IN(ACT_ROLES), child_as_guardian},
    {RULE_D7_RESTRICTED, EVERY_ACT, actor_restricted},
    {RULE_E7_EXTERNAL_ALONE, TALKING, external_alone},
    {RULE_E7_NOT_NAMED_ENTERED, ENTERING, external_enters},
    {RULE_E7_NOT_NAMED,
     IN(ACT_SEE) | IN(ACT_SEND) | IN(ACT_STATE) | IN(ACT_REDACT) | IN(ACT_KICK) | IN(ACT_BAN) | IN(ACT_UNBAN) |
         IN(ACT_ALIAS) | IN(ACT_PUBLISH) | IN(ACT_UPGRADE_ROOM) | IN(ACT_INVITE),
     external_acts},
    {RULE_E7_EXTERNAL_CREATES, IN(ACT_CREATE_ROOM), external_creates},
    {RULE_E2_NOT_IN_ROSTER, ENTERING, target_not_held},
    {RULE_E3_ROOM_KEPT_CREATED, IN(ACT_CREATE_ROOM), creates_kept_room},
    {RULE_E3_ROOM_KEPT_BY_SCHOOL, CHANGING, keeps_by_member},
    {RULE_E9_ENCRYPTION_FORBIDDEN, IN(ACT_STATE) | IN(ACT_SEND), encrypts},
    {RULE_E3_STATE_KEPT_BY_SCHOOL, IN(ACT_STATE), forges_state},
    {RULE_E3_NO_POST, IN(ACT_STATE), state_without_post},
    {RULE_E4_HELD_BY_ROSTER, IN(ACT_LEAVE), target_held},
    {RULE_E4_HELD_BY_ROSTER_REMOVED, IN(ACT_KICK) | IN(ACT_BAN), target_held},
    {RULE_E4_BAN_IN_ROSTER_ROOM, IN(ACT_BAN), ban_by_member},
    {RULE_E1_SPACE_IS_QUIET, WRITING, writes_in_space},
    {RULE_E1_ANNOUNCEMENTS, WRITING, announces_without_post},
    {RULE_E6_DOCUMENTS_PRIVATE, ENTERING, documents_entered},
    {RULE_E6_DOCUMENTS_SHOWN, IN(ACT_SEE) | IN(ACT_ALIAS) | IN(ACT_PUBLISH), documents_shown},
    {RULE_E6_LIBRARY, IN(ACT_SEND) | IN(ACT_STATE) | IN(ACT_REDACT), library_written},
    {RULE_E8_ASSOCIATION, ENTERING, association_entered},
    {RULE_E8_ASSOCIATION_CREATED, IN(ACT_CREATE_ROOM), association_created},
    {RULE_F2_THIRD_PERSON, ENTERING, third_person},
    {RULE_F2_NOBODY_TO_BAN, IN(ACT_BAN), bans_third_person},
    {RULE_F2_DIRECT_IS_PRIVATE, IN(ACT_SEE), direct_seen},
    {RULE_F2_DIRECT_HAS_NO_ADDRESS, IN(ACT_ALIAS) | IN(ACT_PUBLISH), direct_addressed},
    {RULE_F2_DIRECT_HAS_NO_NAME, IN(ACT_STATE), direct_named},
    {RULE_F1_NO_RELATION, TALKING | IN(ACT_CREATE_ROOM), strangers_talk},
    {RULE_F1_RELATION_FORBIDDEN, TALKING | IN(ACT_CREATE_ROOM), relation_forbidden},
    {RULE_E5_MAY_NOT_MAKE_DIRECT, IN(ACT_CREATE_ROOM), makes_direct},
    {RULE_E5_MAY_NOT_MAKE_ROOMS, IN(ACT_CREATE_ROOM), makes_club},
    {RULE_F1_ASK_THE_SCHOOL, ENTERING, meets_whom_it_may_not},
    {RULE_F1_ASK_THE_SCHOOL, IN(ACT_SEE), sees_whom_it_may_not},
    {RULE_E5_STAFF_MISSING_ENTERED, ENTERING, enters_without_staff},
    {RULE_E5_STAFF_MISSING, IN(ACT_SEND) | IN(ACT_STATE), writes_without_staff},
    {RULE_E5_STAFF_MISSING_OPENED, CHANGING | IN(ACT_STATE), opens_without_staff},
    {RULE_E5_STAFF_MISSING_SEEN, IN(ACT_SEE), seen_without_staff},
    {RULE_E5_ALIAS, IN(ACT_ALIAS), names_without_answering},
    {RULE_E9_ENCRYPTION_REQUIRED, IN(ACT_SEND), writes_in_clear},
    {RULE_F4_MAY_NOT_START_POLLS, IN(ACT_SEND), starts_poll},
    {RULE_B3_NAME_FROM_ROSTER, IN(ACT_NAME), actor_held},
    {RULE_J4_OWN_APPLICATION, IN(ACT_APPROVE), decides_for_oneself},
    {RULE_C1_MAY_NOT_APPROVE, IN(ACT_APPROVE), may_not_approve},
    {RULE_C2_MAY_NOT_LINK, IN(ACT_LINK), may_not_link},
    {RULE_C2_STAFF_ROLE, IN(ACT_LINK) | IN(ACT_APPROVE), gives_staff_role},
    {RULE_J4_OFFICE_HANDS_OUT, IN(ACT_LINK), hands_out},
    {RULE_J4_OWN_CLAIM, IN(ACT_CLAIM), decides_for_oneself},
    {RULE_J4_MAY_NOT_CONFIRM, IN(ACT_CLAIM), may_not_confirm},
    {RULE_J4_OWN_CLAIM_LINK, IN(ACT_CLAIM), office_invited_them},
    {RULE_J4_BEYOND_TOKEN, IN(ACT_LINK) | IN(ACT_APPROVE) | IN(ACT_ROLES), gives_more_than_token},
    {RULE_D1_NOT_YOUR_LINK, IN(ACT_GUARDIAN_LINK), not_own_link},
    {RULE_D1_NOT_A_PUPIL, IN(ACT_GUARDIAN_LINK), no_pupil},
    {RULE_D2_ASK_THE_SCHOOL, IN(ACT_BECOME_GUARDIAN), is_kept_from},
    {RULE_D4_OWN_CONTACT, IN(ACT_BECOME_GUARDIAN), by_childs_contact},
    {RULE_D5_TWO_GUARDIANS, IN(ACT_BECOME_GUARDIAN), third_guardian},
    {RULE_D7_NOT_YOUR_CHILD, IN(ACT_END_GUARDIAN), neither_guardian_nor_office},
    {RULE_D8_NOT_YOUR_CHILD, IN(ACT_CHILD), neither_guardian_nor_office},
    {RULE_F5_ACCUSED, IN(ACT_REPORTS), is_accused},
    {RULE_F5_MAY_NOT_SETTLE_REPORTS, IN(ACT_REPORTS), may_not_settle_reports},
    {RULE_A4_RECORDS, IN(ACT_RECORDS_READ), may_not_read_records},
    {RULE_A4_OFFICE,
     RECORDS | IN(ACT_CUSTODY) | IN(ACT_IMPORT) | IN(ACT_POLICY) | IN(ACT_AUDIT) | IN(ACT_STANDING) | IN(ACT_SESSIONS) |
         IN(ACT_NOTICE) | IN(ACT_ROOMS_WRITE),
     not_office},
    {RULE_G1_NOT_YOURS, IN(ACT_LEAVE_SCHOOL), not_theirs},
    {RULE_G4_NOT_YOURS, IN(ACT_EXPORT) | IN(ACT_ERASE), not_theirs},
    {RULE_H1_SECOND_FACTOR, FACTOR_ACTS, acts_without_factor},
    {RULE_J4_OWN_FACTOR, IN(ACT_POLICY), eases_own_factor},
    {RULE_A1_NOT_OF_THIS_SCHOOL, IN(ACT_STANDING) | IN(ACT_SESSIONS) | IN(ACT_NOTICE) | OWN_DATA,
     target_of_other_school},
    {RULE_A1_OPERATORS_ALONE, WHOLE_ACCOUNT, target_also_elsewhere},
    {RULE_A1_OF_ANOTHER_SCHOOL, RECORDS, target_only_elsewhere},
    {RULE_J4_SOMEBODY_ELSE, OFFICE_ACTS, is_kept_from},
    {RULE_J4_OWN_FAMILY, ABOUT_PEOPLE, decides_for_family},
    {RULE_J4_OWN_LINK, IN(ACT_APPROVE), invited_them},
    {RULE_J4_OWN_LINK_OFFICE, IN(ACT_APPROVE), office_invited_them, .overridable = true},
    {RULE_J4_SOMEBODY_ELSE, IN(ACT_APPROVE) | IN(ACT_ROLES) | IN(ACT_ROOMS_WRITE), brings_oneself_together},
    {RULE_D9_TOGETHER, IN(ACT_APPROVE) | IN(ACT_ROLES) | IN(ACT_ROOMS_WRITE), brings_together, .overridable = true},
    {RULE_J4_SOMEBODY_ELSE, IN(ACT_APPROVE), admits_without_office},
    {RULE_D9_SETTLED, IN(ACT_APPROVE), admits_unasked, .overridable = true},
    /* What they say of the person comes behind what says who may ask. */
    {RULE_B3_MINOR_AS_STAFF, IN(ACT_ROLES), minor_as_staff, .overridable = true},
    {RULE_C4_PARENT_AS_PUPIL, IN(ACT_ROLES), parent_as_pupil},
    {RULE_J4_OWN_ACCOUNT, IN(ACT_STANDING), decides_for_oneself},
    {RULE_J4_SELF, RECORDS | IN(ACT_ROOMS_WRITE), decides_for_oneself, .overridable = true},
    {RULE_I4_ROSTER_KEPT, RECORDS | IN(ACT_LEAVE_SCHOOL) | IN(ACT_ERASE), roster_keeps, .overridable = true},
    {RULE_F6_MAY_NOT_URGE, IN(ACT_SEND), may_not_urge},
    {RULE_F6_REASON, IN(ACT_SEND), urges_without_reason},
    {RULE_F6_TOO_OFTEN, IN(ACT_SEND), urges_too_often},
    {RULE_H1_SECOND_FACTOR, IN(ACT_SEND), announces_without_factor},
    {RULE_F3_QUIET_HOURS, SPEAKING, quiet_refuses},
    {RULE_F3_QUIET_HOURS_AT_ONCE, SPEAKING, quiet_cannot_wait},
    {RULE_F3_QUIET_HOURS_HOLD, SPEAKING, quiet_delays, .kind = VERDICT_HOLD},
    {RULE_F3_QUIET_HOURS_WARN, SPEAKING, quiet_warns, .kind = VERDICT_WARN},
    {RULE_F3_QUIET_HOURS_PUSH, IN(ACT_NOTIFY), rings_in_quiet, .kind = VERDICT_HOLD},
};
#define RULES_COUNT ((int)(sizeof RULES / sizeof *RULES))

static const struct verdict ALLOWED = {.allowed = true, .rule = "", .code = "", .sentence_ru = "", .sentence_en = ""};

int rules_count(void)
{
    return RULES_COUNT;
}

struct verdict verdict_refusing(enum rule_refusal refusal)
{
    const struct refusal *row = refusal_of(refusal);
    return (struct verdict){.refusal = refusal,
                            .rule = row->rule,
                            .code = row->code,
                            .sentence_ru = row->sentence_ru,
                            .sentence_en = row->sentence_en};
}

struct verdict rules_row(int i)
{
    struct verdict verdict = verdict_refusing(RULES[i].refusal);
    verdict.allowed = RULES[i].kind != VERDICT_REFUSE;
    verdict.kind = RULES[i].kind;
    verdict.overridable = RULES[i].overridable;
    return verdict;
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
    [ACT_NOTIFY] = "notify",
    [ACT_REPORT] = "report",
    [ACT_APPROVE] = "approve",
    [ACT_LINK] = "link",
    [ACT_GUARDIAN_LINK] = "guardian_link",
    [ACT_BECOME_GUARDIAN] = "become_guardian",
    [ACT_END_GUARDIAN] = "end_guardian",
    [ACT_CLAIM] = "claim",
    [ACT_CHILD] = "child",
    [ACT_RECORDS_READ] = "records_read",
    [ACT_RECORDS_WRITE] = "records_write",
    [ACT_IDENTITY] = "identity",
    [ACT_ROLES] = "roles",
    [ACT_GUARDIANSHIP] = "guardianship",
    [ACT_CUSTODY] = "custody",
    [ACT_IMPORT] = "import",
    [ACT_POLICY] = "policy",
    [ACT_REPORTS] = "reports",
    [ACT_AUDIT] = "audit",
    [ACT_STANDING] = "standing",
    [ACT_SESSIONS] = "sessions",
    [ACT_NOTICE] = "notice",
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
    int i = WORD_FIND(ACTS, name);
    if (i >= 0)
        *out = (enum act)i;
    return i >= 0;
}
