#include "homeserver/accounts/sessions.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/text.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/tokens.h"
#include "homeserver/store/driver/writer.h"

#define TAG_BYTES crypto_shorthash_siphashx24_BYTES

/* Two ways in: by token hash (the loops) and by user (the observer). uthash keeps by_token in order of insertion, which
 * is the clock's face: an entry that was used since the hand last passed gets a second round. */
struct entry {
    struct session session; /* first: a session is its entry */
    _Atomic int refs;
    _Atomic bool used;
    _Atomic bool held;            /* in by_token */
    _Atomic int64_t seen_ms;      /* monotonic clock: when the device's row was last told; 0: not yet */
    unsigned char tag[TAG_BYTES]; /* of the token: tag_token */
    unsigned char hash[TOKEN_HASH_BYTES];
    UT_hash_handle hh;
    struct entry *next, *prev; /* the user's others */
};

struct person {
    user_no user;
    struct entry *entries;
    UT_hash_handle hh;
};

/* Sessions that were seen, and whose rows are to be written. */
struct seen_batch {
    struct error error;
    size_t n;
    struct seen {
        user_no user;
        device_no device;
        char ip[46];
    } of[SEEN_AT_ONCE];
};

struct sessions {
    char *server;
    size_t max;
    struct writer *writer;
    unsigned char tag_key[crypto_shorthash_siphashx24_KEYBYTES];
    pthread_rwlock_t lock; /* guards what follows */
    struct entry *by_token;
    struct person *by_user;
    uint64_t generation; /* rises with every revocation: a load that began before it may not be kept */

    pthread_mutex_t seen_lock; /* guards seen */
    struct seen_batch *seen;   /* NULL: nobody's */
};

struct sessions *sessions_create(const char *server_name, size_t max)
{
    struct sessions *s = xcalloc(1, sizeof *s);
    s->server = xstrdup(server_name);
    s->max = max != 0 ? max : 1;
    randombytes_buf(s->tag_key, sizeof s->tag_key);
    pthread_rwlock_init(&s->lock, NULL);
    pthread_mutex_init(&s->seen_lock, NULL);
    return s;
}

void sessions_set_writer(struct sessions *s, struct writer *writer)
{
    s->writer = writer;
}

const struct session *session_ref(const struct session *session)
{
    ++((struct entry *)session)->refs;
    return session;
}

void session_unref(const struct session *session)
{
    struct entry *entry = (struct entry *)session;
    if (entry == NULL || --entry->refs != 0)
        return;
    free(entry->session.user_id);
    free(entry->session.device_id);
    free(entry);
}

/* The lock is held for writing. */
static void drop(struct sessions *s, struct entry *entry)
{
    struct person *person;
    HASH_FIND(hh, s->by_user, &entry->session.user, sizeof entry->session.user, person);
    assert(person != NULL);
    DL_DELETE(person->entries, entry);
    if (person->entries == NULL) {
        HASH_DELETE(hh, s->by_user, person);
        free(person);
    }
    HASH_DELETE(hh, s->by_token, entry);
    entry->held = false;
    session_unref(&entry->session);
}

/* The lock is held for writing. Ends: each turn that evicts nothing clears one `used`. */
static void make_room(struct sessions *s)
{
    while (HASH_COUNT(s->by_token) >= s->max) {
        struct entry *oldest = s->by_token;
        if (atomic_exchange(&oldest->used, false)) {
            HASH_DELETE(hh, s->by_token, oldest);
            HASH_ADD(hh, s->by_token, hash, TOKEN_HASH_BYTES, oldest);
        } else {
            drop(s, oldest);
        }
    }
}

void sessions_destroy(struct sessions *s)
{
    if (s == NULL)
        return;
    while (s->by_token != NULL)
        drop(s, s->by_token);
    pthread_rwlock_destroy(&s->lock);
    pthread_mutex_destroy(&s->seen_lock);
    free(s->seen);
    free(s->server);
    free(s);
}

static bool expired(const struct session *session)
{
    return session->expires_ms != 0 && session->expires_ms <= clock_wall_ms();
}

static const struct session *find(struct sessions *s, const unsigned char hash[TOKEN_HASH_BYTES])
{
    struct entry *entry;
    pthread_rwlock_rdlock(&s->lock);
    HASH_FIND(hh, s->by_token, hash, TOKEN_HASH_BYTES, entry);
    if (entry != NULL && expired(&entry->session))
        entry = NULL;
    if (entry != NULL) {
        session_ref(&entry->session);
        if (!entry->used)
            entry->used = true;
    }
    pthread_rwlock_unlock(&s->lock);
    return entry != NULL ? &entry->session : NULL;
}

bool session_holds(const struct session *session)
{
    struct entry *entry = (struct entry *)session;
    if (!entry->held || expired(session))
        return false;
    if (!entry->used)
        entry->used = true;
    return true;
}

static void tag_token(const struct sessions *s, const char *token, unsigned char tag[TAG_BYTES])
{
    crypto_shorthash_siphashx24(tag, (const unsigned char *)token, strlen(token), s->tag_key);
}

static bool is_of(const struct sessions *s, const struct session *session, const char *token)
{
    unsigned char tag[TAG_BYTES];
    tag_token(s, token, tag);
    return bytes_equal(tag, ((const struct entry *)session)->tag, TAG_BYTES) && session_holds(session);
}

const struct session *sessions_find(struct sessions *s, const char *token, const struct session *likely)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    if (likely != NULL && is_of(s, likely, token))
        return session_ref(likely);
    token_hash(token, hash);
    return find(s, hash);
}

/* Keeps the entry if nothing was revoked since it was read and nobody else has brought it in meanwhile. */
static void keep(struct sessions *s, struct entry *entry, uint64_t generation)
{
    struct entry *other;
    struct person *person;
    pthread_rwlock_wrlock(&s->lock);
    HASH_FIND(hh, s->by_token, entry->hash, TOKEN_HASH_BYTES, other);
    if (generation == s->generation && other == NULL) {
        make_room(s);
        HASH_FIND(hh, s->by_user, &entry->session.user, sizeof entry->session.user, person);
        if (person == NULL) {
            person = xcalloc(1, sizeof *person);
            person->user = entry->session.user;
            HASH_ADD(hh, s->by_user, user, sizeof person->user, person);
        }
        DL_APPEND(person->entries, entry);
        HASH_ADD(hh, s->by_token, hash, TOKEN_HASH_BYTES, entry);
        entry->held = true;
        session_ref(&entry->session);
    }
    pthread_rwlock_unlock(&s->lock);
}

static struct entry *entry_from_row(const struct sessions *s, const unsigned char *hash, const struct token_row *row)
{
    struct entry *entry = xcalloc(1, sizeof *entry);
    struct text id = TEXT_INIT;
    text_addf(&id, "@%s:%s", row->localpart, s->server);
    entry->session = (struct session){
        .user = row->user,
        .device = row->device,
        .user_id = text_take(&id),
        .device_id = xstrdup(row->device_id),
        .expires_ms = row->expires_ms,
        .admin = row->admin,
        .state = row->state,
        .oauth = row->client != 0,
    };
    entry->refs = 1;
    entry->used = true;
    memcpy(entry->hash, hash, TOKEN_HASH_BYTES);
    return entry;
}

static bool job_used(struct tx *tx, void *arg, struct error *e)
{
    return tokens_used(tx, TOKEN_ACCESS, arg) || error_set(e, ERROR_UNKNOWN, NULL);
}

/* *lasting: it may be kept in memory. A first use that could not be noted is due again at the next load. */
static struct entry *load(struct sessions *s, struct db *db, unsigned char *hash, bool *lasting, struct error *e)
{
    struct token_row row;
    struct error ignored;
    struct entry *entry = NULL;
    if (!tokens_find(db, TOKEN_ACCESS, hash, &row) || row.state == ACCOUNT_LEFT) {
        error_set(e, ERROR_UNKNOWN_TOKEN, NULL);
    } else {
        entry = entry_from_row(s, hash, &row);
        if (expired(&entry->session)) {
            session_unref(&entry->session);
            entry = NULL;
            error_set(e, ERROR_UNKNOWN_TOKEN, "The access token has expired.");
            e->soft_logout = true;
        } else if (row.fresh && s->writer != NULL) {
            *lasting = writer_run(s->writer, job_used, hash, &ignored);
        }
    }
    token_row_finish(&row);
    return entry;
}

const struct session *sessions_load(struct sessions *s, struct db *db, const char *token, struct error *e)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    token_hash(token, hash);
    const struct session *known = find(s, hash);
    if (known != NULL)
        return known;
    pthread_rwlock_rdlock(&s->lock);
    uint64_t generation = s->generation;
    pthread_rwlock_unlock(&s->lock);
    bool lasting = true;
    struct entry *entry = load(s, db, hash, &lasting, e);
    if (entry == NULL)
        return NULL;
    tag_token(s, token, entry->tag);
    if (lasting)
        keep(s, entry, generation);
    return &entry->session;
}

size_t sessions_count(struct sessions *s)
{
    pthread_rwlock_rdlock(&s->lock);
    size_t n = HASH_COUNT(s->by_token);
    pthread_rwlock_unlock(&s->lock);
    return n;
}

static void forget(struct sessions *s, const struct change *change)
{
    struct person *person;
    struct entry *entry, *next;
    ++s->generation;
    HASH_FIND(hh, s->by_user, &change->user, sizeof change->user, person);
    if (person == NULL)
        return;
    for (entry = person->entries; entry != NULL; entry = next) {
        next = entry->next; /* the last drop frees person, after which next is NULL */
        if (change->device == 0 || entry->session.device == change->device)
            drop(s, entry);
    }
}

void sessions_observe(void *self, const struct change *changes, size_t n)
{
    struct sessions *s = self;
    for (size_t i = 0; i < n; ++i) {
        if (changes[i].kind != CHANGE_SESSION)
            continue;
        pthread_rwlock_wrlock(&s->lock);
        forget(s, &changes[i]);
        pthread_rwlock_unlock(&s->lock);
    }
}

/* --- When a session was last seen --- */

static bool job_seen(struct tx *tx, void *arg, struct error *e)
{
    const struct seen_batch *batch = arg;
    bool done = true;
    for (size_t i = 0; done && i < batch->n; ++i)
        done = devices_seen(tx, batch->of[i].user, batch->of[i].device, tx->now_ms, batch->of[i].ip);
    return done;
}

static void forget_seen(void *batch, bool written)
{
    free(batch);
}

/* Takes the batch over. */
static void write_seen(struct sessions *s, struct seen_batch *batch)
{
    if (batch != NULL)
        writer_submit(s->writer, job_seen, batch, &batch->error, forget_seen, batch);
}

static struct seen_batch *take_seen(struct sessions *s)
{
    struct seen_batch *batch = s->seen;
    s->seen = NULL;
    return batch;
}

/* A school that comes back after a start would have a job of the writer's, and alone a sync of the disk, for each. */
void sessions_seen(struct sessions *s, const struct session *session, const char *ip)
{
    struct entry *entry = (struct entry *)session;
    int64_t now_ms = clock_mono_ms(), before_ms = entry->seen_ms;
    if (s->writer == NULL || (before_ms != 0 && now_ms - before_ms < SEEN_EVERY_MS) ||
        !atomic_compare_exchange_strong(&entry->seen_ms, &before_ms, now_ms))
        return;
    pthread_mutex_lock(&s->seen_lock);
    if (s->seen == NULL)
        s->seen = xcalloc(1, sizeof *s->seen);
    struct seen *seen = &s->seen->of[s->seen->n++];
    *seen = (struct seen){.user = session->user, .device = session->device};
    snprintf(seen->ip, sizeof seen->ip, "%s", ip);
    struct seen_batch *full = s->seen->n == SEEN_AT_ONCE ? take_seen(s) : NULL;
    pthread_mutex_unlock(&s->seen_lock);
    write_seen(s, full);
}

enum job_outcome sessions_write_seen(void *sessions, const _Atomic bool *stop)
{
    struct sessions *s = sessions;
    pthread_mutex_lock(&s->seen_lock);
    struct seen_batch *batch = take_seen(s);
    pthread_mutex_unlock(&s->seen_lock);
    write_seen(s, batch);
    return JOB_DONE;
}
