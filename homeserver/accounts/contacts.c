#include "homeserver/accounts/contacts.h"

#include <pthread.h>
#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/accounts/code_messages.h"
#include "homeserver/accounts/code_limits.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/text.h"
#include "homeserver/base/timed_thread.h"
#include "homeserver/base/words.h"
#include "homeserver/store/bounds.h"
#include "homeserver/store/matrix/contacts.h"
#include "homeserver/store/matrix/verifications.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/links.h"
#include "homeserver/store/school/roles.h"
#include "policy/rules/refusals.h"

#define CODE_DIGITS 6
#define CODES 1000000
#define LINK_SECRET_CHARS 32
#define PROOF_LIFETIME_MS HOUR_MS /* from the submitted code to the act that needs it */

_Static_assert(SID_CHARS >= crypto_generichash_KEYBYTES_MIN && SID_CHARS <= crypto_generichash_KEYBYTES_MAX,
               "the sid is the key of its code's hash");

#define LETTERS_WAITING_MAX 1024

/* A message that is to be handed to the post. */
struct code_letter {
    struct code_letter *next;
    enum code_purpose purpose;
    struct contact_address address;
    int64_t send_attempt;
    bool send; /* false: it is to nobody, and goes no further */
    char sid[SID_CHARS + 1];
    char code[CODE_DIGITS + 1]; /* "": the message has none, because of whose the address is */
    struct {
        char sid[SID_CHARS + 1], secret[LINK_SECRET_CHARS + 1];
        int64_t lifetime_ms; /* 0: there is none */
    } link;
};

struct contacts {
    struct contacts_settings settings;
    unsigned char key[crypto_generichash_KEYBYTES]; /* of the codes; drawn at each start */
    pthread_mutex_t lock;                           /* of what follows */
    pthread_cond_t handed_over;
    struct code_letter *waiting, **last;
    int n_waiting; /* with the one that is being handed over */
    bool stopped;
    struct timed_thread *thread; /* NULL: nothing was to be handed over yet */
};

static const enum post_way WAYS[] = {[CONTACT_EMAIL] = POST_MAIL, [CONTACT_PHONE] = POST_SMS};
static const char *const PURPOSES[] = {[CODE_REGISTER] = "register", [CODE_ADD] = "add", [CODE_RESET] = "reset"};
static const char *const DELIVERIES[] = {
    [DELIVERY_WAITING] = "waiting", [DELIVERY_SENT] = "sent", [DELIVERY_FAILED] = "failed"};

const char *code_delivery_name(enum code_delivery delivery)
{
    return DELIVERIES[delivery];
}

/* --- Life --- */

static bool job_lost(struct tx *tx, void *arg, struct error *e)
{
    return verifications_lost(tx);
}

struct contacts *contacts_create(const struct contacts_settings *settings)
{
    struct error e = {0};
    struct contacts *contacts = xcalloc(1, sizeof *contacts);
    contacts->settings = *settings;
    contacts->last = &contacts->waiting;
    pthread_mutex_init(&contacts->lock, NULL);
    pthread_cond_init(&contacts->handed_over, NULL);
    crypto_generichash_keygen(contacts->key);
    writer_run(settings->writer, job_lost, NULL, &e);
    return contacts;
}

void contacts_settle(struct contacts *contacts)
{
    pthread_mutex_lock(&contacts->lock);
    while (contacts->n_waiting > 0)
        pthread_cond_wait(&contacts->handed_over, &contacts->lock);
    pthread_mutex_unlock(&contacts->lock);
}

void contacts_stop(struct contacts *contacts)
{
    if (contacts == NULL)
        return;
    pthread_mutex_lock(&contacts->lock);
    contacts->stopped = true;
    pthread_mutex_unlock(&contacts->lock);
    contacts_settle(contacts);
    timed_thread_destroy(contacts->thread);
    contacts->thread = NULL;
}

void contacts_destroy(struct contacts *contacts)
{
    contacts_stop(contacts);
    if (contacts != NULL) {
        sodium_memzero(contacts->key, sizeof contacts->key);
        pthread_mutex_destroy(&contacts->lock);
        pthread_cond_destroy(&contacts->handed_over);
    }
    free(contacts);
}

bool contacts_offered(const struct contacts *contacts, enum contact_medium medium)
{
    return contacts != NULL && contacts->settings.offers[WAYS[medium]];
}

/* Kept for an hour more, in which it is said that they are over. */
static bool purge(struct tx *tx)
{
    return verifications_purge(tx, tx->now_ms - HOUR_MS) && code_limits_purge(tx);
}

static bool job_purge(struct tx *tx, void *arg, struct error *e)
{
    return purge(tx);
}

void contacts_upkeep(struct contacts *contacts)
{
    struct error e = {0};
    if (contacts != NULL)
        writer_run(contacts->settings.writer, job_purge, NULL, &e);
}

/* --- Asking for a code --- */

/* [0-9a-zA-Z.=_-], 1 to 255 of them (Identity Service API) */
static bool secret_valid(const char *secret)
{
    size_t len = strspn(secret, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.=_-");
    return len != 0 && len <= CLIENT_SECRET_MAX && secret[len] == '\0';
}

static void code_hash(const char *sid, const char *code, unsigned char out[TOKEN_HASH_BYTES])
{
    crypto_generichash(out, TOKEN_HASH_BYTES, (const unsigned char *)code, strlen(code), (const unsigned char *)sid,
                       SID_CHARS);
}

struct code_job {
    const struct contacts *contacts;
    const struct config *config;
    const struct code_request *request;
    struct verification_row row; /* texts borrowed, but what an earlier session gave: see found */
    struct code_letter letter;   /* sid: of the session; the rest is out. send false and no row written: the one before
                                  * is what the client means */
};

/* Whether the address may get a code: one who has it already needs none to register, one who has
 * none can reset none. */
static bool deserves_code(struct db *db, const struct code_request *request)
{
    struct user_row row;
    user_no owner = contacts_owner(db, request->address);
    bool there = owner != 0 && users_get(db, owner, &row);
    if (!there)
        return request->purpose != CODE_RESET;
    bool usable = row.state != ACCOUNT_LEFT;
    user_row_finish(&row);
    return request->purpose == CODE_RESET && usable;
}

/* The same for as long as the session lasts: whoever asks once more need not know which message was the last. Without a
 * code the hash is of nothing that could be submitted. */
static void draw_code(struct code_job *job, bool deserved)
{
    uint64_t drawn;
    struct code_letter *l = &job->letter;
    crypto_generichash((unsigned char *)&drawn, sizeof drawn, (const unsigned char *)l->sid, SID_CHARS,
                       job->contacts->key, sizeof job->contacts->key);
    snprintf(l->code, sizeof l->code, "%0*u", CODE_DIGITS, (unsigned)(drawn % CODES));
    code_hash(l->sid, l->code, job->row.code_hash);
    if (deserved)
        return;
    l->code[0] = '\0';
    randombytes_buf(job->row.code_hash, sizeof job->row.code_hash);
}

/* The last message that goes to an account's address for a while has a way to a new password which is good for longer:
 * whoever it was that asked too often, the owner is not kept out. It is a session that is proven
 * by having been read. */
static bool write_link(struct tx *tx, struct code_job *job, int64_t closed_ms)
{
    struct verification_row row = job->row;
    random_name(job->letter.link.sid, SID_CHARS);
    random_name(job->letter.link.secret, LINK_SECRET_CHARS);
    job->letter.link.lifetime_ms = closed_ms + job->config->codes.lifetime_ms;
    row.sid = job->letter.link.sid;
    row.expires_ms = tx->now_ms + job->letter.link.lifetime_ms;
    token_hash(job->letter.link.secret, row.secret_hash);
    randombytes_buf(row.code_hash, sizeof row.code_hash);
    return verifications_insert(tx, &row) && verifications_validate(tx, row.sid, row.expires_ms) &&
           verifications_deliver(tx, row.sid, row.send_attempt, DELIVERIES[DELIVERY_SENT]);
}

static bool write_session(struct tx *tx, struct code_job *job, bool known, struct error *e)
{
    bool written;
    const struct code_request *request = job->request;
    struct code_allowance allowance;
    bool deserved = deserves_code(tx->db, request);
    if (!code_limits_count(tx, job->config, request, deserved, &allowance, e))
        return false;
    draw_code(job, deserved);
    job->letter.send = !allowance.quiet && (deserved || job->config->registration.mode != REGISTRATION_CLOSED);
    written = known ? verifications_resend(tx, &job->row) : verifications_insert(tx, &job->row);
    if (written) /* to nobody's address: told as any other */
        written = verifications_deliver(tx, job->letter.sid, job->row.send_attempt,
                                        DELIVERIES[job->letter.send ? DELIVERY_WAITING : DELIVERY_SENT]);
    if (written && request->purpose == CODE_RESET && deserved && allowance.closed_ms != 0)
        written = write_link(tx, job, allowance.closed_ms);
    return (written && purge(tx)) || error_set(e, ERROR_UNKNOWN, NULL);
}

/* Of a message that may be to nobody, "waiting" or "failed" would say that there is one. */
static enum code_delivery delivery_told(const struct verification_row *row)
{
    return strcmp(row->purpose, PURPOSES[CODE_RESET]) == 0 ? DELIVERY_SENT
                                                           : (enum code_delivery)WORD_FIND(DELIVERIES, row->delivery);
}

static bool job_code(struct tx *tx, void *arg, struct error *e)
{
    struct code_job *job = arg;
    struct verification_row before;
    struct verification_row *row = &job->row;
    bool known = verifications_find(tx->db, row, job->config->codes.tries, tx->now_ms, &before);
    if (known)
        snprintf(job->letter.sid, sizeof job->letter.sid, "%s", before.sid);
    bool repeated = known && before.send_attempt >= row->send_attempt;
    /* The client repeats itself: no message, and the truth about the one before, where it may be told. */
    bool ok = !repeated || delivery_told(&before) != DELIVERY_FAILED ||
              error_set(e, ERROR_UNAVAILABLE, "The message with the code could not be sent; ask again later.");
    verification_row_finish(&before);
    row->expires_ms = tx->now_ms + job->config->codes.lifetime_ms;
    return ok && (repeated || write_session(tx, job, known, e));
}

/* How the message fared, from the sender's thread to the session. */
struct report {
    char sid[SID_CHARS + 1];
    int64_t send_attempt;
    bool delivered;
    struct writer *writer;
    struct error error;
};

static bool job_report(struct tx *tx, void *arg, struct error *e)
{
    const struct report *report = arg;
    return verifications_deliver(tx, report->sid, report->send_attempt,
                                 DELIVERIES[report->delivered ? DELIVERY_SENT : DELIVERY_FAILED]);
}

static void reported(void *arg, bool ok)
{
    free(arg);
}

static void on_delivered(void *arg, bool delivered)
{
    struct report *report = arg;
    report->delivered = delivered;
    writer_submit(report->writer, job_report, report, &report->error, reported, report);
}

static void add_link(const struct config *config, const struct code_letter *l, struct text *text)
{
    struct text address = TEXT_INIT;
    if (config->public_baseurl != NULL)
        text_adds(&address, config->public_baseurl);
    else
        text_addf(&address, "https://%s", config->server_name);
    text_addf(&address, "/parta/recovery?sid=%s&client_secret=%s", l->link.sid, l->link.secret);
    code_message_add_link(l->address.medium, address.data, (int)(l->link.lifetime_ms / HOUR_MS), text);
    sodium_memzero(address.data, address.len);
    text_finish(&address);
}

static bool post_letter(struct contacts *contacts, const struct code_letter *l)
{
    const struct contacts_settings *s = &contacts->settings;
    const struct contact_address *address = &l->address;
    int64_t lifetime_ms = s->config->codes.lifetime_ms;
    struct text subject = TEXT_INIT, text = TEXT_INIT;
    struct report *report = xcalloc(1, sizeof *report);
    *report = (struct report){.send_attempt = l->send_attempt, .writer = s->writer};
    memcpy(report->sid, l->sid, sizeof report->sid);
    code_message_write(l->purpose, address->medium, s->config->server_name, l->code[0] != '\0' ? l->code : NULL,
                       (int)((lifetime_ms + MINUTE_MS - 1) / MINUTE_MS), &subject, &text);
    if (l->link.lifetime_ms != 0)
        add_link(s->config, l, &text);
    struct letter letter = {WAYS[address->medium], address->address, subject.data, text.data};
    bool taken = s->send(s->post, &letter, clock_mono_ms() + lifetime_ms, on_delivered, report);
    if (!taken)
        on_delivered(report, false);
    if (text.data != NULL)
        sodium_memzero(text.data, text.len);
    text_finish(&subject);
    text_finish(&text);
    return taken;
}

/* --- Handing over behind the answer --- */

static struct code_letter *next_letter(struct contacts *contacts, bool one_is_done)
{
    pthread_mutex_lock(&contacts->lock);
    contacts->n_waiting -= one_is_done;
    struct code_letter *l = contacts->waiting;
    if (l != NULL && (contacts->waiting = l->next) == NULL)
        contacts->last = &contacts->waiting;
    if (contacts->n_waiting == 0)
        pthread_cond_broadcast(&contacts->handed_over);
    pthread_mutex_unlock(&contacts->lock);
    return l;
}

static int64_t hand_over(void *arg, const _Atomic bool *stop)
{
    struct contacts *contacts = arg;
    struct code_letter *l = next_letter(contacts, false);
    while (l != NULL) {
        if (l->send)
            post_letter(contacts, l);
        sodium_memzero(l, sizeof *l);
        free(l);
        l = next_letter(contacts, true);
    }
    return TIMED_NEVER;
}

/* What handing over takes, and whether there was something to hand over, must not be in the answer's time where that
 * would tell whose the address is: the same is done here for a message and for none. Beyond the bound it is lost, which
 * of such a message is not told. */
static void hand_over_later(struct contacts *contacts, const struct code_letter *letter)
{
    struct code_letter *l = xcalloc(1, sizeof *l);
    *l = *letter;
    l->next = NULL;
    pthread_mutex_lock(&contacts->lock);
    if (contacts->thread == NULL && !contacts->stopped)
        contacts->thread = timed_thread_start("letters", hand_over, contacts, TIMED_NEVER);
    bool taken = contacts->thread != NULL && !contacts->stopped && contacts->n_waiting < LETTERS_WAITING_MAX;
    if (taken) {
        *contacts->last = l;
        contacts->last = &l->next;
        ++contacts->n_waiting;
        timed_thread_poke(contacts->thread);
    }
    pthread_mutex_unlock(&contacts->lock);
    if (!taken) {
        sodium_memzero(l, sizeof *l);
        free(l);
        log_warn("contacts", "a message could not be handed to the post: too many wait");
    }
}

static bool request_valid(const struct contacts *contacts, const struct code_request *request, struct error *e)
{
    if (!contacts_offered(contacts, request->address->medium))
        return error_set(e, ERROR_THREEPID_DENIED,
                         request->address->medium == CONTACT_EMAIL ? "This server sends no e-mail."
                                                                   : "This server sends no SMS.");
    if (contacts->settings.config->registration.mode == REGISTRATION_CLOSED &&
        (request->purpose == CODE_REGISTER || (request->purpose == CODE_ADD && request->user == 0))) {
        error_set(
            e, ERROR_THREEPID_DENIED,
            "Регистрация на этом сервере закрыта: коды он отправляет только тем, кто вошёл в свою учётную запись.");
        e->translation = "Registration is closed on this server: it sends codes to those who are signed in alone.";
        return false;
    }
    if (!secret_valid(request->client_secret))
        return error_set(e, ERROR_INVALID_PARAM, "The client secret has up to 255 of A-Z, a-z, 0-9 and .=_- only.");
    return request->send_attempt >= 0 || error_set(e, ERROR_INVALID_PARAM, "The send attempt is below 0.");
}

bool contacts_request_code(struct contacts *contacts, const struct code_request *request, char sid[SID_CHARS + 1],
                           struct error *e)
{
    if (!request_valid(contacts, request, e))
        return false;
    struct code_job job = {.contacts = contacts, .config = contacts->settings.config, .request = request};
    job.letter.purpose = request->purpose;
    job.letter.address = *request->address;
    job.letter.send_attempt = request->send_attempt;
    random_name(job.letter.sid, SID_CHARS);
    job.row = (struct verification_row){
        .sid = job.letter.sid,
        .purpose = (char *)PURPOSES[request->purpose],
        .medium = (char *)contact_medium_name(request->address->medium),
        .address = (char *)request->address->address,
        .send_attempt = request->send_attempt,
    };
    token_hash(request->client_secret, job.row.secret_hash);
    bool ok = writer_run(contacts->settings.writer, job_code, &job, e);
    /* A message that may be to nobody, whatever the address: nothing of how it fares is told to who asks. */
    bool closed = job.config->registration.mode == REGISTRATION_CLOSED && request->user == 0;
    if (ok && (request->purpose == CODE_RESET || closed))
        hand_over_later(contacts, &job.letter);
    else if (ok && job.letter.send && !post_letter(contacts, &job.letter))
        ok = error_set(e, ERROR_UNAVAILABLE, "No message can be sent now; ask again later.");
    memcpy(sid, job.letter.sid, SID_CHARS + 1);
    sodium_memzero(&job.letter, sizeof job.letter);
    return ok;
}

/* --- Submitting it --- */

static bool find_session(struct db *db, const char *sid, const char *client_secret, struct verification_row *row,
                         struct error *e)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    token_hash(client_secret, hash);
    if (verifications_get(db, sid, row) && bytes_equal(hash, row->secret_hash, sizeof hash))
        return true;
    verification_row_finish(row);
    return error_set(e, ERROR_NO_VALID_SESSION, NULL);
}

struct submit_job {
    const struct config *config;
    const char *sid, *client_secret, *code;
    enum error_code wrong; /* out: the job's refusal. It must not be rolled back: the try counts */
};

static enum error_code try_code(struct tx *tx, const struct submit_job *job, const struct verification_row *row)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    if (row->expires_ms <= tx->now_ms || row->tries >= job->config->codes.tries)
        return ERROR_SESSION_EXPIRED;
    if (delivery_told(row) == DELIVERY_FAILED)
        return ERROR_UNAVAILABLE;
    code_hash(row->sid, job->code, hash);
    if (!bytes_equal(hash, row->code_hash, sizeof hash))
        return verifications_tried(tx, row->sid) ? ERROR_TOKEN_INCORRECT : ERROR_UNKNOWN;
    return row->validated_ms != 0 || verifications_validate(tx, row->sid, tx->now_ms + PROOF_LIFETIME_MS)
               ? ERROR_NONE
               : ERROR_UNKNOWN;
}

static bool job_submit(struct tx *tx, void *arg, struct error *e)
{
    struct submit_job *job = arg;
    struct verification_row row;
    if (!find_session(tx->db, job->sid, job->client_secret, &row, e))
        return false;
    job->wrong = try_code(tx, job, &row);
    verification_row_finish(&row);
    return true;
}

bool contacts_submit_code(struct contacts *contacts, const char *sid, const char *client_secret, const char *code,
                          struct error *e)
{
    struct submit_job job = {contacts->settings.config, sid, client_secret, code, ERROR_NONE};
    if (strlen(sid) != SID_CHARS)
        return error_set(e, ERROR_NO_VALID_SESSION, NULL);
    if (!writer_run(contacts->settings.writer, job_submit, &job, e))
        return false;
    const char *why = job.wrong == ERROR_UNAVAILABLE ? "The message with the code could not be sent; ask again." : NULL;
    return job.wrong == ERROR_NONE || error_set(e, job.wrong, why);
}

static void session_from(const struct verification_row *row, struct code_session *out)
{
    *out = (struct code_session){
        .purpose = (enum code_purpose)WORD_FIND(PURPOSES, row->purpose),
        .delivery = delivery_told(row),
        .validated = row->validated_ms != 0,
        .validated_ms = row->validated_ms,
    };
    contact_medium_from(row->medium, &out->address.medium);
    snprintf(out->address.address, sizeof out->address.address, "%s", row->address);
}

bool contacts_session(struct db *db, const char *sid, const char *client_secret, int64_t now_ms,
                      struct code_session *out, struct error *e)
{
    struct verification_row row;
    if (!find_session(db, sid, client_secret, &row, e))
        return false;
    bool live = row.expires_ms > now_ms;
    session_from(&row, out);
    verification_row_finish(&row);
    return live || error_set(e, ERROR_SESSION_EXPIRED, NULL);
}

static bool proves(const struct verification_row *row, enum code_purpose purpose, int64_t now_ms)
{
    return row->validated_ms != 0 && row->expires_ms > now_ms && strcmp(row->purpose, PURPOSES[purpose]) == 0;
}

bool contacts_proven(struct db *db, const char *sid, const char *client_secret, enum code_purpose purpose,
                     int64_t now_ms, struct contact_address *out, struct error *e)
{
    struct verification_row row;
    struct code_session session;
    if (!find_session(db, sid, client_secret, &row, e))
        return error_set(e, ERROR_THREEPID_AUTH_FAILED, NULL);
    bool proven = proves(&row, purpose, now_ms);
    session_from(&row, &session);
    verification_row_finish(&row);
    *out = session.address;
    return proven || error_set(e, ERROR_THREEPID_AUTH_FAILED, "The code has not been submitted, or too long ago.");
}

/* --- Inside jobs --- */

bool contacts_count_message(struct tx *tx, const struct config *config, const struct contact_address *address,
                            school_no school, struct error *e)
{
    bool mail = address->medium == CONTACT_EMAIL;
    if ((mail ? config->mail.url : config->sms.url) == NULL)
        return error_set(e, ERROR_THREEPID_DENIED, mail ? "This server sends no e-mail." : "This server sends no SMS.");
    return code_limits_count_office(tx, config, address, school, e);
}

bool contacts_take(struct tx *tx, const char *sid, enum code_purpose purpose, struct contact_address *out,
                   int64_t *verified_ms, struct error *e)
{
    struct verification_row row;
    struct code_session session;
    if (!verifications_get(tx->db, sid, &row))
        return error_set(e, ERROR_THREEPID_AUTH_FAILED, NULL);
    bool proven = proves(&row, purpose, tx->now_ms);
    session_from(&row, &session);
    verification_row_finish(&row);
    *out = session.address;
    *verified_ms = session.validated_ms;
    if (!proven)
        return error_set(e, ERROR_THREEPID_AUTH_FAILED, "The code was used already, or submitted too long ago.");
    /* A new password is set: what else was sent to set one has had its time. */
    bool ended = purpose == CODE_RESET
                     ? verifications_end_all(tx, PURPOSES[purpose], contact_medium_name(out->medium), out->address)
                     : verifications_end(tx, sid);
    return ended || error_set(e, ERROR_UNKNOWN, NULL);
}

bool contacts_may_belong(struct db *db, const struct contact_address *address, user_no user, unsigned roles,
                         struct error *e)
{
    user_no owner = contacts_owner(db, address);
    if (owner == 0 || owner == user)
        return true;
    /* Whom it belongs to is said only where the school's rules explain themselves with it: the address was proven, and
     * so is the asker's to read messages of. */
    unsigned theirs = roles_now_or_later(db, owner);
    bool parent = (theirs & ROLE_GUARDIAN) != 0 || guardianships_children(db, owner, NULL, 0) > 0;
    if ((roles & ROLE_PUPIL) != 0 && parent)
        return rule_refuse(e, RULE_C4_CONTACT_OF_PARENT);
    if ((roles & ROLE_GUARDIAN) != 0 && (theirs & ROLE_PUPIL) != 0)
        return rule_refuse(e, RULE_D4_CONTACT_OF_CHILD);
    return rule_refuse(e, RULE_C3_CONTACT_IN_USE);
}

bool contacts_bind(struct tx *tx, user_no user, const struct contact_address *address, unsigned roles,
                   int64_t verified_ms, struct error *e)
{
    struct contact_row row = {contact_medium_name(address->medium), address->address, user, verified_ms, tx->now_ms};
    if (!contacts_may_belong(tx->db, address, user, roles | roles_now_or_later(tx->db, user), e))
        return false;
    if (contacts_owner(tx->db, address) == user)
        return true;
    if (contact_rows_count(tx->db, user, contact_medium_name(address->medium)) >= CONTACTS_OF_MEDIUM_MAX)
        return bound_refuse(e, "contacts", CONTACTS_OF_MEDIUM_MAX);
    return contact_rows_insert(tx, &row) || error_set(e, ERROR_UNKNOWN, NULL);
}

bool contacts_claim(struct tx *tx, const char *sid, enum code_purpose purpose, user_no user, unsigned roles,
                    struct error *e)
{
    struct contact_address address;
    int64_t verified_ms;
    return contacts_take(tx, sid, purpose, &address, &verified_ms, e) &&
           contacts_bind(tx, user, &address, roles, verified_ms, e);
}

bool contacts_forget(struct tx *tx, user_no user)
{
    return contact_rows_forget(tx, user);
}

/* --- Facts, and acts on one's own --- */

user_no contacts_owner(struct db *db, const struct contact_address *address)
{
    return contact_rows_owner(db, contact_medium_name(address->medium), address->address);
}

struct listing {
    void (*fn)(void *arg, const struct contact *contact);
    void *arg;
};

static void list_row(void *arg, const struct contact_row *row)
{
    struct listing *listing = arg;
    struct contact contact = {.verified_ms = row->verified_ms, .added_ms = row->added_ms};
    contact_medium_from(row->medium, &contact.address.medium);
    snprintf(contact.address.address, sizeof contact.address.address, "%s", row->address);
    listing->fn(listing->arg, &contact);
}

void contacts_each(struct db *db, user_no user, void (*fn)(void *arg, const struct contact *contact), void *arg)
{
    struct listing listing = {fn, arg};
    contact_rows_each(db, user, list_row, &listing);
}

int contacts_count(struct db *db, user_no user, enum contact_medium medium)
{
    return (int)contact_rows_count(db, user, contact_medium_name(medium));
}

struct own_job {
    user_no user;
    const struct contact_address *address;
    const char *sid, *client_secret;
    bool was; /* out, of a removal */
};

static bool job_remove(struct tx *tx, void *arg, struct error *e)
{
    struct own_job *job = arg;
    tx_own(tx, job->user);
    job->was = contacts_owner(tx->db, job->address) == job->user;
    return contact_rows_delete(tx, job->user, contact_medium_name(job->address->medium), job->address->address) ||
           error_set(e, ERROR_UNKNOWN, NULL);
}

static void nobody_waits(void *arg, bool delivered)
{
}

/* Not counted (code_limits.h): each removal is of an address that a code had gone to, which was. */
static void tell_removed(struct contacts *contacts, const struct contact_address *address)
{
    const struct contacts_settings *s = &contacts->settings;
    struct text subject = TEXT_INIT, text = TEXT_INIT;
    if (!contacts_offered(contacts, address->medium))
        return;
    removal_message_write(address->medium, s->config->server_name, &subject, &text);
    const struct letter letter = {WAYS[address->medium], address->address, subject.data, text.data};
    s->send(s->post, &letter, clock_mono_ms() + s->config->codes.lifetime_ms, nobody_waits, NULL);
    text_finish(&subject);
    text_finish(&text);
}

bool contacts_remove(struct contacts *contacts, user_no user, const struct contact_address *address, struct error *e)
{
    struct own_job job = {.user = user, .address = address};
    if (!writer_run(contacts->settings.writer, job_remove, &job, e))
        return false;
    if (job.was)
        tell_removed(contacts, address);
    return true;
}

static bool job_add(struct tx *tx, void *arg, struct error *e)
{
    struct own_job *job = arg;
    struct contact_address proven;
    return contacts_proven(tx->db, job->sid, job->client_secret, CODE_ADD, tx->now_ms, &proven, e) &&
           contacts_claim(tx, job->sid, CODE_ADD, job->user, 0, e);
}

bool contacts_add(struct contacts *contacts, user_no user, const char *sid, const char *client_secret, struct error *e)
{
    struct own_job job = {.user = user, .sid = sid, .client_secret = client_secret};
    return writer_run(contacts->settings.writer, job_add, &job, e);
}
