#include "homeserver/push/delivery/digest.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "homeserver/base/config.h"
#include "homeserver/push/delivery/service.h"
#include "homeserver/push/delivery/told.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/contacts.h"
#include "homeserver/store/matrix/pushers.h"
#include "homeserver/store/matrix/users.h"

#define DEADLINE_MS (10 * MINUTE_MS) /* for the mail server */

/* Whose news waits for a while first: they may be reading it. */
struct waiting {
    UT_hash_handle hh;
    user_no user;
    int64_t since_ms;
};

struct digest {
    struct push_service *service;
    digest_send *send;
    void *post;
    struct waiting *waiting;
};

/* A mail on its way: heap. */
struct sending {
    struct push_service *service;
    struct pusher_row row; /* app_id and pushkey are its own */
    char *app_id, *pushkey, *lang;
    char *chosen; /* the language of their account, which goes before the app's; NULL: none */
    struct told_unread unread;
    stream_pos told_before;
    int64_t now_ms;
    struct error e;
};

void digest_write(const char *lang, int64_t messages, int64_t rooms, struct text *subject, struct text *text)
{
    if (strncmp(lang, "ru", 2) == 0) {
        text_addf(subject, "Непрочитанные сообщения: %lld", (long long)messages);
        text_addf(text,
                  "Непрочитанных сообщений: %lld, комнат: %lld.\n\nОткройте приложение, чтобы их прочитать."
                  " Там же, в настройках уведомлений, эти письма можно отключить.\n",
                  (long long)messages, (long long)rooms);
    } else {
        text_addf(subject, "Unread messages: %lld", (long long)messages);
        text_addf(text,
                  "Unread messages: %lld, rooms: %lld.\n\nOpen the app to read them. There, in the settings of"
                  " notifications, you can turn these mails off.\n",
                  (long long)messages, (long long)rooms);
    }
}

struct digest *digest_create(struct push_service *service, digest_send *send, void *post)
{
    struct digest *digest = xcalloc(1, sizeof *digest);
    digest->service = service;
    digest->send = send;
    digest->post = post;
    return digest;
}

static void stop_waiting(struct digest *digest, user_no user)
{
    struct waiting *waiting;
    HASH_FIND(hh, digest->waiting, &user, sizeof user, waiting);
    if (waiting == NULL)
        return;
    HASH_DEL(digest->waiting, waiting);
    free(waiting);
}

void digest_destroy(struct digest *digest)
{
    if (digest == NULL)
        return;
    while (digest->waiting != NULL)
        stop_waiting(digest, digest->waiting->user);
    free(digest);
}

static bool has_waited(struct digest *digest, user_no user, int64_t now_ms)
{
    struct waiting *waiting;
    HASH_FIND(hh, digest->waiting, &user, sizeof user, waiting);
    if (waiting == NULL) {
        waiting = xcalloc(1, sizeof *waiting);
        waiting->user = user;
        waiting->since_ms = now_ms;
        HASH_ADD(hh, digest->waiting, user, sizeof waiting->user, waiting);
    }
    return now_ms - waiting->since_ms >= DIGEST_WAIT_MS;
}

static void sending_free(void *arg, bool ok)
{
    struct sending *s = arg;
    free(s->app_id);
    free(s->pushkey);
    free(s->lang);
    free(s->chosen);
    free(s);
}

static bool job_mailed(struct tx *tx, void *arg, struct error *e)
{
    const struct sending *s = arg;
    return pushers_mailed(tx, &s->row, s->now_ms, s->unread.newest);
}

/* What was not delivered counts as not told, but not before the next is due. */
static void on_done(void *arg, bool delivered)
{
    struct sending *s = arg;
    s->service->counts[PUSH_MAILS] += delivered;
    s->unread.newest = s->told_before;
    if (delivered)
        sending_free(s, true);
    else
        writer_submit(s->service->writer, job_mailed, s, &s->e, sending_free, s);
}

/* Whether there is news for them, theirs is the address, and nothing speaks against it now. */
static bool has_news(struct digest *digest, struct db *db, struct sending *s)
{
    struct told told;
    bool open = contact_rows_owner(db, "email", s->pushkey) == s->row.user;
    s->told_before = pushers_mailed_pos(db, s->row.user, s->app_id, s->pushkey);
    told_open(&told, digest->service, db, s->row.user);
    if (open && told.ring.rings)
        s->unread = told_count(&told, digest->service, db);
    told_close(&told);
    s->chosen = users_language(db, s->row.user);
    if (s->unread.messages != 0 && s->unread.newest > s->told_before)
        return has_waited(digest, s->row.user, s->now_ms);
    stop_waiting(digest, s->row.user);
    return false;
}

/* On disk first: a crash costs one mail rather than sends two. */
static void send_one(struct digest *digest, struct sending *s)
{
    struct text subject = TEXT_INIT, text = TEXT_INIT;
    digest_write(s->chosen != NULL ? s->chosen : s->lang, s->unread.messages, s->unread.rooms, &subject, &text);
    struct letter letter = {.way = POST_MAIL, .to = s->pushkey, .subject = subject.data, .text = text.data};
    stop_waiting(digest, s->row.user);
    if (!writer_run(digest->service->writer, job_mailed, s, &s->e))
        sending_free(s, false);
    else if (!digest->send(digest->post, &letter, clock_mono_ms() + DEADLINE_MS, on_done, s))
        on_done(s, false);
    text_finish(&subject);
    text_finish(&text);
}

void digest_run(struct digest *digest, struct db *db, int64_t now_ms)
{
    struct pusher_row row;
    struct sending **all = NULL;
    size_t n = 0;
    db_begin_read(db);
    struct stmt *q = pushers_mails(db, now_ms - digest->service->config->push.mail_minutes * MINUTE_MS);
    while (pushers_next(q, &row)) {
        struct sending *s = xcalloc(1, sizeof *s);
        s->service = digest->service;
        s->app_id = xstrdup(row.app_id);
        s->pushkey = xstrdup(row.pushkey);
        s->lang = xstrdup(row.lang);
        s->row = (struct pusher_row){.user = row.user, .app_id = s->app_id, .pushkey = s->pushkey};
        s->now_ms = now_ms;
        all = xrealloc(all, (n + 1) * sizeof(struct sending *));
        all[n++] = s;
    }
    stmt_end(q);
    for (size_t i = 0; i < n; ++i)
        if (db_failed(db) || !has_news(digest, db, all[i])) {
            sending_free(all[i], false);
            all[i] = NULL;
        }
    db_end_read(db);
    for (size_t i = 0; i < n; ++i)
        if (all[i] != NULL)
            send_one(digest, all[i]);
    free(all);
}
