/* Links: how a school lets people in (school.md C2), and a child a parent (D1).
 *
 * A link is a token of LINK_TOKEN_CHARS random characters (190 bits), fit for m.login.registration_token and for an
 * address; it is told once and kept as a hash. It names school, class and role, its issuer, how often and how long it
 * is good, and can be revoked. It never admits anybody by itself: who comes by it applies (applications.h), but for two
 * kinds that name a person. A personal link hands somebody of the records the account that is theirs (and waits then:
 * claims.h); a guardian link, made by the child in the child's own session, lets a parent confirm (guardians.h).
 *
 * What a link is good for is asked again inside the job that uses it, and the use is counted there: of two who come at
 * the same moment with the last use, one is refused. */
#ifndef PARTA_POLICY_SIGNUP_LINKS_H
#define PARTA_POLICY_SIGNUP_LINKS_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/error.h"
#include "homeserver/store/school/links.h"
#include "policy/records/change.h"

struct config;
struct contact_address;
struct text;

#define LINK_TOKEN_CHARS 32
#define LINK_USES_MAX 2000
#define LINK_LIFETIME_MIN_MS (INT64_C(10) * 60 * 1000)
#define LINK_LIFETIME_MAX_MS (INT64_C(120) * 24 * 60 * 60 * 1000)
#define GUARDIAN_LINK_LIFETIME_MAX_MS (INT64_C(7) * 24 * 60 * 60 * 1000)
#define GUARDIAN_LINKS_OPEN_MAX 2 /* of one child; a third takes the place of the oldest */

struct link_wish {
    enum link_kind kind;
    school_no school;      /* LINK_SCHOOL */
    class_no class;        /* LINK_CLASS */
    enum school_role role; /* LINK_CLASS: pupil, guardian, teacher; LINK_SCHOOL: teacher, staff; else not looked at */
    user_no person;        /* LINK_PERSONAL */
    int64_t uses;          /* LINK_CLASS, LINK_SCHOOL; 0: as many as a class needs, 50 */
    int64_t lifetime_ms;   /* 0: 14 days; a guardian link: 2 days */
    /* LINK_PERSONAL: to where the server sends it (link_letters.h), and who makes it never sees the token; NULL: who
     * makes it is told the token, to print. With it config, for what is sent and how much; borrowed, as it is. */
    const struct contact_address *send_to;
    const struct config *config;
};
struct link_made {
    link_no no;
    char token[LINK_TOKEN_CHARS + 1]; /* told now and never again; "": it is sent */
    int64_t expires_ms;
};

#define LINK_PATH "/parta/join/"

/* The address that a link is handed on by: "https://chat.school.example/parta/join/…", the
 * server's own page. Appends. */
void link_address(const struct config *config, const char *token, struct text *out);

/* Inside a job. false: *c->e: a shape that does not fit (ERROR_INVALID_PARAM), no right (ACT_LINK, ACT_GUARDIAN_LINK:
 * the child is the actor), D5: two guardians already; somebody who has an account needs no personal link
 * (ERROR_CONFLICT). send_to: RULE_C3_CONTACT_IN_USE where it is the address of who makes the link, or of somebody else
 * whom they know of (J4: nobody gets what makes them somebody else); and as contacts_count_message. */
bool link_make(struct changing_records *c, const struct link_wish *wish, struct link_made *out);

/* Inside a job: by whoever could make it. Revoked already: true. */
bool link_revoke(struct changing_records *c, link_no no);

/* Whether the actor may see the link: whoever could make it. */
bool link_may_see(struct db *db, bool school_mode, const struct actor *actor, const struct link_row *link);

/* Whether the actor could make that link, one of a person, for one person after the other: school_gate_again. */
bool link_may_make(struct db *db, bool school_mode, const struct actor *actor, const struct link_row *link,
                   struct school_asker *asker);

/* B3, A1, J4: whoever holds a personal link becomes that person. So one who works at a school gets it from an
 * administrator of that school, or from an operator whose token may do what they may: never from a
 * class teacher (RULE_J4_OFFICE_HANDS_OUT), nor from another school. */
bool link_hands_out(struct db *db, const struct actor *issuer, user_no person, struct error *e);

/* Whether who made the link could make it now: still in office, an operator's token still good and as wide. Asked when
 * a personal link is used, which admits by itself; the others' applications are decided by somebody. */
bool link_issuer_stands(struct db *db, bool school_mode, const struct link_row *link, struct error *e);

/* The link of a token, if it could be used at that time. false: *e says which of it does not hold, each in a sentence
 * of its own. Reads the database. */
bool link_find(struct db *db, const char *token, int64_t now_ms, struct link_row *out, struct error *e);

/* Inside a job: the same, and counts the use. */
bool link_use(struct tx *tx, const char *token, struct link_row *out, struct error *e);

#endif
