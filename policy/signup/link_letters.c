#include "policy/signup/link_letters.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/accounts/code_messages.h"
#include "homeserver/accounts/contacts.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/crypto.h"
#include "homeserver/store/driver/writer.h"
#include "policy/signup/links.h"

#define UNDER_WAY_MAX 16        /* so that codes, which somebody waits for, find room in the post's queue */
#define TRIED_MS (12 * HOUR_MS) /* a mail server that is down comes back by the morning */

/* --- How it fared --- */

struct outcome {
    struct link_letters *letters;
    enum contact_medium medium;
    link_no no;
    enum link_delivery delivery;
    struct error error;
};

static bool job_delivered(struct tx *tx, void *arg, struct error *e)
{
    const struct outcome *outcome = arg;
    return links_deliver(tx, outcome->no, outcome->delivery);
}

static void told(void *arg, bool ok)
{
    struct outcome *outcome = arg;
    atomic_fetch_sub(&outcome->letters->under_way[outcome->medium], 1);
    if (!outcome->letters->stopping)
        jobs_poke(*outcome->letters->jobs, LINK_LETTERS_JOB);
    free(outcome);
}

static void on_delivered(void *arg, bool delivered)
{
    struct outcome *outcome = arg;
    outcome->delivery = delivered ? LINK_SENT : outcome->letters->stopping ? LINK_WAITING : LINK_FAILED;
    writer_submit(outcome->letters->writer, job_delivered, outcome, &outcome->error, told, outcome);
}

/* --- Handing over --- */

struct drawing {
    bool begun, found;
    const char *sent_by;
    struct link_letter letter;
    char token[LINK_TOKEN_CHARS + 1];
    int64_t now_ms;
};

static bool job_draw(struct tx *tx, void *arg, struct error *e)
{
    struct drawing *d = arg;
    bool done = (d->begun || links_lost(tx)) && links_stale(tx);
    d->now_ms = tx->now_ms;
    d->found = done && links_unsent(tx->db, d->sent_by, tx->now_ms, &d->letter);
    return (done && (!d->found || links_draw(tx, d->letter.no, d->token))) || error_set(e, ERROR_UNKNOWN, NULL);
}

static bool job_wait_again(struct tx *tx, void *arg, struct error *e)
{
    return links_deliver(tx, *(const link_no *)arg, LINK_WAITING);
}

/* false: the post takes no more now. */
static bool hand_over(struct link_letters *letters, enum contact_medium medium, struct drawing *d)
{
    struct error e;
    struct text subject = TEXT_INIT, text = TEXT_INIT, address = TEXT_INIT;
    struct outcome *outcome = xcalloc(1, sizeof *outcome);
    int64_t left_ms = d->letter.expires_ms - d->now_ms;
    *outcome = (struct outcome){.letters = letters, .medium = medium, .no = d->letter.no};
    link_address(letters->config, d->token, &address);
    link_message_write(medium, letters->config->server_name, address.data, d->token,
                       (int)((left_ms + DAY_MS - 1) / DAY_MS), &subject, &text);
    const struct letter letter = {medium == CONTACT_EMAIL ? POST_MAIL : POST_SMS, d->letter.send_to, subject.data,
                                  text.data};
    atomic_fetch_add(&letters->under_way[medium], 1);
    bool taken = letters->send(letters->post, &letter, clock_mono_ms() + (left_ms < TRIED_MS ? left_ms : TRIED_MS),
                               on_delivered, outcome);
    sodium_memzero(text.data, text.len);
    sodium_memzero(address.data, address.len);
    text_finish(&address);
    text_finish(&subject);
    text_finish(&text);
    if (taken)
        return true;
    atomic_fetch_sub(&letters->under_way[medium], 1);
    free(outcome);
    writer_run(letters->writer, job_wait_again, &d->letter.no, &e);
    return false;
}

/* What waits for one way. false: the database failed. */
static bool send_all(struct link_letters *letters, enum contact_medium medium, const _Atomic bool *stop)
{
    bool done = true, more = true;
    while (done && more && !*stop && letters->under_way[medium] < UNDER_WAY_MAX) {
        struct error e;
        struct drawing d = {.begun = letters->begun, .sent_by = contact_medium_name(medium)};
        random_name(d.token, LINK_TOKEN_CHARS);
        done = writer_run(letters->writer, job_draw, &d, &e);
        letters->begun |= done;
        more = done && d.found && hand_over(letters, medium, &d);
        sodium_memzero(d.token, sizeof d.token);
    }
    return done;
}

enum job_outcome link_letters_run(void *arg, const _Atomic bool *stop)
{
    bool mail = send_all(arg, CONTACT_EMAIL, stop), sms = send_all(arg, CONTACT_PHONE, stop);
    return mail && sms ? JOB_DONE : JOB_FAILED;
}

void link_letters_stop(struct link_letters *letters)
{
    letters->stopping = true;
}
