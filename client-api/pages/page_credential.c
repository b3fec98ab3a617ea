/* A person's cookie on pages. */
#include <stdio.h>
#include <stdlib.h>

#include "client-api/pages/cookies.h"
#include "client-api/pages/page.h"
#include "homeserver/base/config.h"
#include "homeserver/http/credentials.h"
#include "homeserver/http/server.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/page_sessions.h"

static bool shows(const struct request *r)
{
    char token[COOKIE_BYTES];
    return page_cookie(r, COOKIE_SESSION, token);
}

static bool find(const struct request *r, struct db *db, struct page_session *out)
{
    char token[COOKIE_BYTES];
    unsigned char hash[TOKEN_HASH_BYTES];
    if (!page_cookie(r, COOKIE_SESSION, token))
        return false;
    token_hash(token, hash);
    return page_sessions_find(db, hash, clock_wall_ms(), out);
}

static bool job_seen(struct tx *tx, void *arg, struct error *e)
{
    return page_sessions_seen(tx, arg);
}

/* Once a minute is exact enough for half an hour. */
static void note_use(const struct request *r, const struct page_session *session)
{
    char token[COOKIE_BYTES];
    unsigned char hash[TOKEN_HASH_BYTES];
    struct error e;
    if (clock_wall_ms() - session->seen_ms < MINUTE_MS || !page_cookie(r, COOKIE_SESSION, token))
        return;
    token_hash(token, hash);
    writer_run(r->server->writer, job_seen, hash, &e);
}

static bool load(struct request *r, struct db *db, struct error *e)
{
    struct page_session session;
    struct text id = TEXT_INIT;
    if (!find(r, db, &session)) {
        r->identity = (struct identity){0}; /* an old cookie: for a page that is for anybody, nobody's */
        return (r->route->flags & ROUTE_ANONYMOUS) != 0;
    }
    note_use(r, &session);
    text_addf(&id, "@%s:%s", session.localpart, r->server->config->server_name);
    r->identity.kept = text_take(&id);
    r->identity.user = session.user;
    r->identity.user_id = r->identity.name = r->identity.kept;
    r->identity.state = session.state;
    r->identity.admin = session.admin;
    if (session.language != NULL)
        snprintf(r->identity.language, sizeof r->identity.language, "%s", session.language);
    page_session_finish(&session);
    return true;
}

static bool recheck(const struct request *r, struct db *db, struct error *e)
{
    struct page_session session;
    bool found = find(r, db, &session) && session.user == r->identity.user;
    page_session_finish(&session);
    return found || error_set(e, ERROR_UNKNOWN_TOKEN, NULL);
}

const struct credential_kind PAGE_CREDENTIAL = {
    .name = "page", .accepted = ROUTE_PAGE, .shows = shows, .load = load, .recheck = recheck};
