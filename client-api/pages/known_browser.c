#include "client-api/pages/known_browser.h"

#include <stdio.h>
#include <string.h>

#include "client-api/pages/cookies.h"
#include "homeserver/accounts/login.h"
#include "homeserver/base/clock.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/store/matrix/users.h"

#define NAME_CHARS 16
#define MAC_BYTES 16
#define LIFETIME_S (180 * DAY_MS / 1000)

static void mac(const struct request *r, user_no user, const char *name, unsigned char out[MAC_BYTES])
{
    struct {
        char name[NAME_CHARS];
        unsigned char password[TOKEN_HASH_BYTES];
        int64_t user;
    } what = {.user = user};
    struct user_row row;
    users_get(r->db, user, &row);
    login_password_digest(&row, what.password);
    user_row_finish(&row);
    memcpy(what.name, name, sizeof what.name);
    server_mac(r->server->key, KEY_KNOWN_BROWSERS, &what, sizeof what, out, MAC_BYTES);
}

const char *known_browser(const struct request *r, user_no user, char out[KNOWN_BROWSER_BYTES])
{
    char shown[COOKIE_BYTES];
    unsigned char made[MAC_BYTES], told[MAC_BYTES];
    if (user == 0 || !page_cookie(r, COOKIE_KNOWN, shown) || strlen(shown) <= NAME_CHARS ||
        base64_decode(shown + NAME_CHARS, strlen(shown + NAME_CHARS), told, sizeof told) != MAC_BYTES)
        return NULL;
    mac(r, user, shown, made);
    if (!bytes_equal(told, made, sizeof made))
        return NULL;
    snprintf(out, KNOWN_BROWSER_BYTES, "browser %.*s", NAME_CHARS, shown);
    return out;
}

void known_browser_remember(struct request *r, user_no user)
{
    char name[NAME_CHARS + 1], known[KNOWN_BROWSER_BYTES];
    unsigned char made[MAC_BYTES];
    struct text value = TEXT_INIT;
    if (known_browser(r, user, known) != NULL)
        snprintf(name, sizeof name, "%s", strchr(known, ' ') + 1);
    else
        random_name(name, NAME_CHARS);
    mac(r, user, name, made);
    text_adds(&value, name);
    text_add_base64url(&value, made, sizeof made);
    page_set_cookie(r, COOKIE_KNOWN, value.data, LIFETIME_S);
    text_finish(&value);
}
