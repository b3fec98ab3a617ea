/* What a person may do in a school: pure decisions.
 *
 * rules_decide takes facts and answers a verdict; it reads no clock, store or log and allocates nothing, so that the
 * same question always has the same answer, can be asked beforehand (school.md J1), and costs a few comparisons. The
 * facts are collected where the act happens, inside the act's own write job (homeserver/rooms/gate.c, from
 * store/rule_facts.h).
 *
 * The rules are rows of one table, walked in order; the first that applies refuses, and says by which row of
 * refusals.h: number of school.md, a code for machines and a sentence for the person. What no row refuses is allowed:
 * Matrix's own authorization (power levels) still has its say afterwards. Every row binds whoever acts: client,
 * application service, administrator and roster job (J3). The server's service user is free of what keeps people from
 * its rooms (E3), not of A2 and E4: the roster job changes the roster first, then the rooms.
 *
 * An office act is an effect, not a request: whoever brings the effect about asks for it, whatever was asked of them
 * (J3). One that reaches a person wherever they are, as account state, sessions, name and data do, is of the offices of
 * all their schools together, or the operator's; one that stays in a school is that school's. tests/doors holds each
 * effect's writers against the acts that stand for it.
 *
 * An event that carries an act is judged as that act: m.room.member with membership "invite" is ACT_INVITE, "join"
 * ACT_JOIN (also a forced one, and a change of one's name in the room), "knock" ACT_KNOCK, "ban" ACT_BAN, "leave" by
 * oneself ACT_LEAVE, by another ACT_KICK or ACT_UNBAN. Everything else with a state key is ACT_STATE. */
#ifndef PARTA_POLICY_RULES_RULES_H
#define PARTA_POLICY_RULES_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/rules/refusals.h"
#include "policy/rules/school_policy.h"
#include "policy/rules/words.h"

/* Each door asks with its act. Who is target: see the comment; otherwise the target is not looked at. */
enum act {
    ACT_CREATE_ROOM, /* the room itself; its invites are ACT_INVITE, its initial state ACT_STATE, once it is recorded */
    ACT_UPGRADE_ROOM,
    ACT_INVITE,  /* target: who is invited */
    ACT_JOIN,    /* target: who joins: the actor, or whom the service user joins by force. By id,
               * alias, invite, restricted */
    ACT_KNOCK,   /* target: the actor */
    ACT_LEAVE,   /* target: the actor. Also to reject an invite or take back a knock */
    ACT_KICK,    /* target: who is kicked, or whose invite is withdrawn */
    ACT_BAN,     /* target: who is banned */
    ACT_UNBAN,   /* target: who is unbanned */
    ACT_SEND,    /* any event without a state key, except redactions */
    ACT_STATE,   /* event_type, state_key */
    ACT_REDACT,  /* target: who wrote it, where that is known */
    ACT_ALIAS,   /* to set or delete an alias of the room */
    ACT_PUBLISH, /* to list it in, or take it off, the public room directory */
    ACT_SEE,     /* to learn of the room without being in it: alias look-up, public rooms, summary,
               * world-readable history */
    ACT_NAME,    /* to change one's own display name; in no room */

    /* --- between people, in no room --- */
    ACT_PROFILE, /* target: whose profile is read (A6) */
    ACT_FIND,    /* target: who would be found in the user directory (A6, E7) */
    ACT_SIGNAL,  /* typing, receipts, presence: what others see of one for a moment */
    ACT_NOTIFY,  /* to be told of an event at a push gateway, or by mail; actor: who is told (F3); in no room */
    ACT_REPORT,  /* to report a message, a room, or target (F5) */

    /* --- the school's office: records, sign-up, guardians; facts.office is looked at --- */
    ACT_APPROVE,         /* target: who applies (C1). Also to refuse */
    ACT_LINK,            /* to make or revoke a link of a class or school (C2) */
    ACT_GUARDIAN_LINK,   /* a child makes, or takes back, the link for a guardian; target: the child (D1) */
    ACT_BECOME_GUARDIAN, /* actor: the guardian to be, target: the child (D2, D4, D5) */
    ACT_END_GUARDIAN,    /* target: the child; by the guardian (withdraws), or the office */
    ACT_CLAIM,           /* to confirm that whoever came by a personal link is target (J4) */
    ACT_CHILD,           /* a guardian looks at target, the child: data, rooms, with whom (D8) */
    ACT_RECORDS_READ,    /* to read the school's people, classes, enrollments; target: of one person, or nobody */
    ACT_RECORDS_WRITE,   /* to change classes and schools, and to enter people */
    ACT_IDENTITY,        /* what target is called, and when they were born: all their schools see it */
    ACT_ROLES,           /* target's roles, posts and places in classes of the school */
    ACT_GUARDIANSHIP,    /* the office makes or ends one; target: the child. The guardian's role is ACT_ROLES */
    ACT_CUSTODY,         /* to say how a guardian stands to target, the child (D9) */
    ACT_IMPORT,          /* a roster, the rollover */
    ACT_POLICY,          /* to change the school's policy document */
    ACT_REPORTS,         /* to read and reconcile reports; target: the accused (F5) */
    ACT_AUDIT,           /* to read the audit log */
    ACT_STANDING,        /* to suspend, lock and the other way, by whatever member of whatever record; target */
    ACT_SESSIONS,        /* to see or end somebody else's sessions; target */
    ACT_NOTICE,          /* to tell target something in the server's name (server notices) */
    ACT_EXPORT,          /* target: whose data (G4) */
    ACT_ERASE,           /* target: whose account (G4) */
    ACT_LEAVE_SCHOOL,    /* target: who leaves (G1) */
    ACT_ROOMS_WRITE, /* the office acts on a room: names external staff for it (E7), associations (E8), owners (E5) */
    ACT__COUNT
};

struct room_facts {
    enum room_kind kind;
    bool has_school;    /* it belongs to a school, or several; false: made by somebody of no school */
    bool encrypted;     /* m.room.encryption is there */
    bool has_pupil;     /* a pupil is joined, invited or knocking (E5); this and the next three: ROOM_CLUB only */
    bool staff_present; /* somebody of the staff is joined whose account is active: neither suspended nor locked (E5) */
    bool has_staff;     /* somebody of the staff is joined, invited or knocking, however the account stands (F3) */
    bool has_family;    /* a pupil or guardian is joined, invited or knocking (F3) */
    int n_people;       /* joined, invited or knocking, the service user apart; after an act that lets target in: with
                         * target */
    bool direct_pair_full; /* ROOM_DIRECT: both of the pair are known (F2) */
    /* F3; only while it is quiet: */
    bool worded; /* somebody has said something here already, be it by a name, a topic or an unusual frame; ACT_INVITE
                  * into ROOM_DIRECT and ROOM_CLUB only */
    bool open;   /* who is not in it can read its name or what is written, or will after this act: it is in the
                  * directory, lets in who asks, or shows its history to all; ROOM_CLUB only */
};

struct person_facts {
    bool service; /* the server's own service user */
    enum account_state account;
    unsigned roles; /* enum school_role, current: in any school of the room; office acts: in the school concerned; acts
                     * in no room: in any school */
    unsigned any_roles; /* in any school at all */
    bool member;   /* of a school of the room; for a room of no school: a person of no school. ACT_PROFILE, target: the
                  * two share a school, or neither has one */
    bool joined;   /* target of ACT_JOIN: is in the room already, only the name or picture changes; actor of ACT_SEE: is
                  * in it, or was */
    bool there;    /* target in a room: has a membership in it, or had one */
    bool stranger; /* target in a room: to be told of as somebody who does not exist (A1, D9) */
    bool returns;  /* target of ACT_INVITE, ACT_JOIN by the service user: a roster took them out of this room (G5) */
    bool held;     /* the roster holds them in this room (E2); ACT_NAME: in any school */
    bool post;     /* and gives them power there by post (E3): class teacher, head … */
    bool named;    /* ROLE_EXTERNAL: named for this room (E7) */
    bool owner;    /* of this room (E5) */
    bool direct_pair; /* ROOM_DIRECT: one of the two (F2) */
    bool shares_room; /* ACT_PROFILE, target: a room with the actor */
    bool
        factor_missing; /* H1; actor of office acts, of ACT_SEND into announcements and of what is urgent: a school asks
                          * them for a second factor, the time for it is over, and they have none */
    bool kept_out; /* D9; target who enters a room that people made, by themselves or asked by who is in it, actor of
                   * ACT_SEE who is not in it: somebody is there from whom they are kept */
};

/* F1, F2: the two who would talk. Who enters a room or starts one: actor and target; who writes where there are only
 * two: actor and the other one. */
struct pair_facts {
    bool two; /* this act makes, or happens in, a room of exactly two people; in a ROOM_DIRECT: both are known */
    uint32_t relations; /* RELATION_BIT: how the actor stands to the other, in any school */
    uint32_t allowed;   /* those of them that the policy of the same school allows */
    bool class_teacher; /* the other is the actor's class teacher (D7) */
    bool guardian;      /* the other is the actor's guardian */
    bool apart;         /* D9: they are kept from each other, and stand in no relation then */
    bool parted;        /* D9: a child's guardians who do not see each other through it, and nothing else joins them */
    bool staff_to_family; /* one is staff, the other family (F3) */
};

/* What is known of somebody who would become a pupil or a guardian (C4, D2), by the records and by their open
 * applications together: what somebody asks for counts as if they had it, so that two requests
 * cannot pass each other. */
enum age_known {
    AGE_UNKNOWN,
    AGE_MINOR, /* by either */
    AGE_ADULT, /* by the records, and no application says otherwise: nobody is of age by their own word (B3) */
};
struct standing_facts {
    bool pupil;    /* today, later, or applies to be one */
    bool guardian; /* likewise */
    enum age_known age;
};

/* What the school's own records and people say about an office act. */
struct office_facts {
    bool operator_;     /* the regional operator, with the scope for this act; the actor's own facts
                     * are then not looked at */
    bool class_teacher; /* the actor is class teacher of the class, or of target's class */
    bool guardian;      /* the actor is target's guardian */
    bool own_contact;   /* D4: the actor has the child's phone or e-mail, or has none of their own */
    int guardians;      /* how many target has */
    bool accused;       /* F5: the actor is the accused */
    bool apart;         /* D9: the actor is kept from target, or from who is concerned besides */
    bool meets;         /* D9; ACT_ROLES with a class, ACT_ROOMS_WRITE: target would be there with somebody from whom
                         * they are kept */
    bool settled;       /* D9; ACT_APPROVE of a guardian: something stands that was settled of the child */
    bool party;         /* and the actor is one of those who would meet */
    bool own_family;    /* J4: somebody whom it concerns is the actor's child, guardian or fellow guardian, in force or
                         * not; of guardianships and custody also: is the actor */
    bool own_link;      /* ACT_APPROVE, to let in, and ACT_CLAIM: the actor made the link by which they came (J4) */
    unsigned role;      /* ACT_LINK, ACT_APPROVE, ACT_ROLES: the enum school_role that somebody would get by it;
                         * 0: not said */
    bool beyond;        /* J4: the operator's scopes do not cover what that role may do */
    bool hands_out;     /* ACT_LINK: the link is personal: whoever holds it is target (J4) */
    bool unconfirmed;   /* the actor came by a personal link, and nobody else has confirmed who they are (J4) */
    struct standing_facts said; /* of who would get the role (ACT_BECOME_GUARDIAN: the actor) */
    unsigned elsewhere;         /* enum school_role, of target in schools where the actor has no office */
    bool roster_kept;           /* a roster keeps the record: a change by hand lasts until the next import */
    bool eases_own;             /* ACT_POLICY: the actor lacks a second factor that is asked of them, and by the new
                                 * document would need it later or not at all (J4) */
    bool override_;             /* the administrator insists, and gave a reason (J2) */
};

struct rule_facts {
    enum act act;
    bool school_mode;                   /* policy.mode: school; false: every answer is yes */
    const struct school_policy *policy; /* of the school concerned; never NULL in school_mode */
    struct room_facts room;
    struct person_facts actor;
    struct person_facts target;
    struct pair_facts pair;
    struct office_facts office;
    bool self;  /* actor and target are the same person */
    bool quiet; /* it is quiet hours (F3) */
    struct {
        bool marked, reason; /* the message says that it is urgent (event_types.h); and why */
        int today;           /* how many of the actor's were, in the last 24 hours */
    } urgent;                /* F6: ACT_SEND; ACT_NOTIFY: marked */
    bool wordless;           /* the event says nothing (event_types.h); acts in a room */
    const char *event_type;  /* ACT_SEND, ACT_STATE; NULL otherwise */
    const char *state_key;   /* ACT_STATE */
};

enum verdict_kind {
    VERDICT_REFUSE,
    VERDICT_HOLD, /* F3: allowed, but later, when quiet hours are over */
    VERDICT_WARN, /* F3: allowed; the sentence is for the sender */
};

struct verdict {
    bool allowed;
    enum verdict_kind kind;    /* with a rule: what it does */
    bool overridable;          /* J2: an administrator's override with a reason gets past it */
    enum rule_refusal refusal; /* RULE_NONE when allowed without more ado */
    const char *rule, *code;   /* of its row in refusals.h: "A2", "outsider"; "" when allowed without more ado */
    const char *sentence_ru, *sentence_en; /* likewise */
};

/* allowed false: refused. allowed with kind HOLD or WARN and a rule: see there. */
struct verdict rules_decide(const struct rule_facts *facts);

/* E9: whether encryption is forbidden where the event would turn it on, and the policy takes it out of a room that is
 * being made rather than refuse the room; and which rule on encryption holds in the room. */
bool rules_strip_encryption(const struct rule_facts *facts);
enum encryption_rule rules_encryption(const struct rule_facts *facts);

/* J1: every row that would speak, in order; *n of at most max. The first that refuses is rules_decide's. */
void rules_explain(const struct rule_facts *facts, struct verdict *out, int max, int *n);

/* The rows, for explain, docs and tests: 0 ≤ i < rules_count(). */
int rules_count(void);
struct verdict rules_row(int i); /* as it refuses */

/* The verdict of a refusal that no row of this table makes; not overridable. */
struct verdict verdict_refusing(enum rule_refusal refusal);

const char *act_name(enum act act); /* "create_room", for the API and the audit log */
/* The other way round. false: no such word, *out is untouched. */
bool act_from(const char *name, enum act *out);

#endif
