/* What apps send to the Client-Server API, as whole requests (whole_request.h): every route but those of media, with
 * the fields of its body. Whoever asks finds the school's people, a room of three of them with a message and an alias,
 * a key backup, a filter, a pusher, tokens to sign in with. */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>
#include <string.h>

#include "homeserver/accounts/login.h"
#include "homeserver/accounts/nonces.h"
#include "tests/fuzz/whole_request.h"
#include "tests/fuzz/whole_services.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define V3 "/_matrix/client/v3"
#define AS(who) "\nauthorization: Bearer $" who "_app\n\n"

static const char SERVICE[] =
    "id: irc\nurl: null\nas_token: 0123456789abcdef0123456789abcdef\nhs_token: fedcba9876543210fedcba9876543210\n"
    "sender_localpart: ircbot\nnamespaces:\n  users: [{exclusive: true, regex: '@irc_.*'}]\n"
    "  aliases: [{exclusive: true, regex: '#irc_.*'}]\n  rooms: []\n";

#define SECRET "a secret that is shared"

static char nonce[NONCE_CHARS + 1];

static void make_nonce(struct text *out)
{
    nonces_issue(whole_server.accounts->nonces, NULL, WHOLE_NOW_MS, NONCE_LIFETIME_MS, nonce);
    text_adds(out, nonce);
}

/* For "nina" with WHOLE_PASSWORD, behind a $nonce. */
static void make_mac(struct text *out)
{
    unsigned char mac[20];
    char hex[2 * sizeof mac + 1];
    struct text said = TEXT_INIT;
    text_add(&said, nonce, strlen(nonce) + 1);
    text_add(&said, "nina", sizeof "nina");
    text_add(&said, WHOLE_PASSWORD, sizeof WHOLE_PASSWORD);
    text_adds(&said, "notadmin");
    HMAC(EVP_sha1(), SECRET, sizeof SECRET - 1, (const unsigned char *)said.data, said.len, mac, NULL);
    sodium_bin2hex(hex, sizeof hex, mac, sizeof mac);
    text_adds(out, hex);
    text_finish(&said);
}

static void make_login_token(struct text *out)
{
    char token[NONCE_CHARS + 1];
    login_token_issue(whole_server.accounts, whole_world.f.db, whole_world.old, 0, token);
    text_adds(out, token);
}

/* Of who registers, not proven yet. */
static void make_session(struct text *out)
{
    whole_reply_has("POST " V3 "/register\n\n{\"password\":\"correct horse\"}", "\"session\":\"", out);
}

static void learn_link(void)
{
    struct link_made made;
    struct error e;
    struct world *w = &whole_world;
    must(world_link(w, w->class_teacher, (struct link_wish){.kind = LINK_CLASS, .class = w->fifth, .role = ROLE_PUPIL},
                    &made, &e));
    whole_word("link", made.token);
}

static void learn_room(void)
{
    whole_learn("POST " V3 "/createRoom" AS("teacher") "{\"preset\":\"private_chat\",\"name\":\"R\"}",
                "\"room_id\":\"!", "room");
    whole_learn("POST " V3 "/rooms/!$room/invite" AS("teacher") "{\"user_id\":\"$class_teacher_id\"}", "", NULL);
    whole_learn("POST " V3 "/join/!$room" AS("class_teacher") "{}", "", NULL);
    whole_learn("PUT " V3
                "/rooms/!$room/send/m.room.message/t1" AS("teacher") "{\"msgtype\":\"m.text\",\"body\":\"a\"}",
                "\"event_id\":\"$", "message");
}

static void learn_keys(void)
{
    whole_learn(
        "POST " V3 "/room_keys/version" AS(
            "teacher") "{\"algorithm\":\"m.megolm_backup.v1.curve25519-aes-sha2\",\"auth_data\":{\"public_key\":"
                       "\"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopq\"}}",
        "\"version\":\"", "backup");
    whole_learn("POST " V3 "/user/$teacher_id/filter" AS("teacher") "{\"room\":{}}", "\"filter_id\":\"", "filter");
    whole_learn("POST " V3 "/login\n\n{\"type\":\"m.login.password\",\"identifier\":{\"type\":\"m.id.user\",\"user\":"
                "\"$old_id\"},\"password\":\"correct horse\",\"refresh_token\":true}",
                "\"refresh_token\":\"", "refresh");
}

/* Its own device of whom it acts as is made when it is first needed: no input could, for what it
 * writes is forgotten. */
static void learn_service(void)
{
    whole_word("service", "0123456789abcdef0123456789abcdef");
#define BY_SERVICE "\nauthorization: Bearer $service\n\n"
    whole_learn("POST " V3 "/register" BY_SERVICE
                "{\"type\":\"m.login.application_service\",\"username\":\"irc_a\",\"inhibit_login\":true}",
                "", NULL);
    whole_learn("GET " V3 "/account/whoami" BY_SERVICE, "\"user_id\":\"@", "service_itself");
    whole_learn("GET " V3 "/account/whoami?user_id=%40irc_a%3Aschool.example" BY_SERVICE, "\"user_id\":\"@",
                "service_user");
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char *const SERVICES[] = {SERVICE};
    struct whole_tables tables;
    struct world *w = &whole_world;
    whole_client_tables(&tables);
    whole_start("registration: {mode: token, shared_secret: " SECRET "}\npublic_baseurl: https://school.example\n",
                &tables, 1);
    whole_serve(SERVICES, 1);
    whole_json_only();
    whole_person("teacher", w->teacher);
    whole_person("class_teacher", w->class_teacher);
    whole_person("admin", w->admin);
    whole_person("old", w->old);
    learn_service();
    whole_word_made("nonce", make_nonce);
    whole_word_made("mac", make_mac);
    whole_word_made("login_token", make_login_token);
    whole_word_made("session", make_session);
    learn_link();
    learn_room();
    learn_keys();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    whole_ask(bytes, len, true); /* a sync notes what has arrived */
    return 0;
}
