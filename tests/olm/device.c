/* diary-device STORE KEY USER DEVICE: one device with the bridge's encryption, driven by lines of JSON: {"do": …} in,
 * an answer a line out. For tests/olm/run, where the other side is the crypto of real clients. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "appservice/diary/crypto.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/json.h"
#include "homeserver/store/driver/db.h"

static const char *const ANSWERS[] = {"done", "ask", "unknown", "refused", "failed"};

static json_t *news;

static void tell(void *self, enum crypto_news what, const char *user, const char *device, const char *room)
{
    json_array_append_new(news, json_string(crypto_news_name(what)));
}

static json_t *answer(enum crypto_answer what, json_t *value)
{
    return json_pack("{sssoso}", "answer", ANSWERS[what], "value", value == NULL ? json_null() : value, "news",
                     json_deep_copy(news));
}

static json_t *do_room(struct crypto *c, const json_t *line)
{
    const char *members[64];
    size_t n = 0, i;
    json_t *member;
    json_array_foreach(json_get_array(line, "members"), i, member)
        if (n < 64)
            members[n++] = json_string_value(member);
    return answer(crypto_room(c, json_get_string(line, "room_id"), json_get_object(line, "settings"), members, n),
                  NULL);
}

static json_t *do_line(struct crypto *c, const json_t *line)
{
    const char *what = json_get_string(line, "do"), *room = json_get_string(line, "room_id");
    int64_t now = json_get_int(line, "now", clock_wall_ms());
    json_t *value = NULL;
    enum crypto_answer done = CRYPTO_REFUSED;
    json_array_clear(news);
    if (what == NULL)
        return answer(done, NULL);
    if (strcmp(what, "outgoing") == 0)
        return answer(CRYPTO_DONE, crypto_outgoing(c, now));
    if (strcmp(what, "room") == 0)
        return do_room(c, line);
    if (strcmp(what, "answered") == 0)
        done = crypto_answered(c, json_get_object(line, "request"), json_get_object(line, "body"), now);
    else if (strcmp(what, "receive") == 0)
        done = crypto_receive(c, json_get_object(line, "event"), now);
    else if (strcmp(what, "decrypt") == 0)
        done = crypto_decrypt(c, room, json_get_object(line, "event"), &value);
    else if (strcmp(what, "encrypt") == 0)
        done = crypto_encrypt(c, room, json_get_string(line, "type"), json_get_object(line, "content"), now, &value);
    else if (strcmp(what, "changed") == 0)
        done = crypto_device_lists(c, json_get_array(line, "users"), NULL) ? CRYPTO_DONE : CRYPTO_FAILED;
    else if (strcmp(what, "restored") == 0)
        done = crypto_restored(c) ? CRYPTO_DONE : CRYPTO_FAILED;
    return answer(done, value);
}

int main(int argc, char **argv)
{
    unsigned char key[CRYPTO_KEY_BYTES];
    struct text problem = TEXT_INIT;
    struct error e;
    char *line = NULL;
    size_t cap = 0;
    news = json_array();
    if (argc != 5 || !crypto_start() || !crypto_key_load(argv[2], key, &problem))
        return 2;
    bool there = access(argv[1], F_OK) == 0;
    struct db *db = db_open(argv[1], DB_WRITE, &(struct db_options){.durable = true});
    if (db == NULL || (!there && !db_script(db, CRYPTO_STORE_SCHEMA)))
        return 2;
    struct crypto_store *store = crypto_store_open(db);
    struct crypto *c = crypto_open(store, key, argv[3], argv[4], &(struct crypto_rules){.tell = tell}, &problem);
    if (c == NULL) {
        fprintf(stderr, "%s\n", problem.data);
        return 2;
    }
    for (ssize_t len; (len = getline(&line, &cap, stdin)) > 0;) {
        json_t *request = json_parse(line, (size_t)len, &e);
        json_t *reply = do_line(c, request);
        json_dumpf(reply, stdout, JSON_COMPACT);
        putchar('\n');
        fflush(stdout);
        json_decref(reply);
        json_decref(request);
    }
    free(line);
    json_decref(news);
    crypto_close(c);
    crypto_store_close(store);
    db_close(db);
    text_finish(&problem);
    return 0;
}
