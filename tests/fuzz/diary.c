/* What diaries send to the bridge, and what people write to its bot, in the homeserver's transactions: the first byte
 * says through which parser the rest goes. Nothing may crash or leak; whatever was taken is a record that is good, of
 * the window, and each id is there once. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "appservice/diary/csv.h"
#include "appservice/diary/dnevnik.h"
#include "appservice/diary/icalendar.h"
#include "appservice/diary/incoming.h"
#include "appservice/diary/notice_text.h"
#include "appservice/diary/oneroster.h"
#include "appservice/diary/roster.h"
#include "appservice/diary/talk.h"
#include "appservice/diary/webhook.h"
#include "homeserver/base/json.h"

#define HS_TOKEN "hs"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void take_dnevnik(struct reading *reading, const char *bytes, size_t len)
{
    struct dnevnik_group group;
    dnevnik_group_init(&group, "9", "7А", "");
    dnevnik_take_persons(reading, &group, bytes, len);
    dnevnik_take_lessons(reading, &group, bytes, len);
    dnevnik_take_schedule(reading, &group, bytes, len);
    dnevnik_add_lessons(reading, &group);
    dnevnik_take_marks(reading, &group, bytes, len);
    dnevnik_take_log_entries(reading, &group, bytes, len);
    dnevnik_group_finish(&group);
}

static void take_oneroster(struct reading *reading, const char *bytes, size_t len)
{
    struct error e;
    json_t *item = json_parse(bytes, len, &e);
    oneroster_take_result(reading, item, item, "s");
    oneroster_take_line(reading, item, true, "s");
    json_decref(item);
}

static void take_roster(const char *bytes, size_t len)
{
    struct roster *roster = roster_create();
    char *next[3] = {NULL};
    const char *why;
    roster_take_people(roster, bytes, len, &next[0]);
    roster_take_classes(roster, bytes, len, &next[1]);
    if (roster_classes(roster) != 0)
        roster_take_enrollments(roster, roster_class_at(roster, 0), bytes, len, &next[2]);
    roster_end(roster);
    roster_by_rule(roster,
                   &(struct diary_person){.id = "1",
                                          .family_name = "a",
                                          .given_name = "b",
                                          .middle_name = "",
                                          .class_title = "7а",
                                          .birth_date = 20140501},
                   &why);
    for (int i = 0; i < 3; ++i)
        free(next[i]);
    roster_destroy(roster);
}

/* Somebody's own words are the end of what was written, and mean one thing, whoever says them again. */
static void take_words(const char *body)
{
    enum notice_language language, again;
    char *own = talk_own_words(body);
    size_t all = strlen(body), n = strlen(own);
    must(n <= all && strcmp(body + (all - n), own) == 0);
    enum notice_choice choice = notice_choice_of(own, &language);
    int reason = notice_reason_of(own);
    must((int)choice >= 0 && choice < CHOICE__COUNT && reason >= REASON_NONE && reason < REASONS);
    must(choice == notice_choice_of(own, &again) && (choice == CHOICE_NONE || language == again));
    must(choice == CHOICE_NONE || reason == REASON_NONE);
    struct person person = {.pace = PACE_NOW};
    talk_choose(&person, choice, language == NOTICE_ENGLISH);
    must(person.off == (choice == CHOICE_OFF));
    free(own);
}

/* --- Transactions: what stands here in place of a listener --- */

struct exchange {
    const char *txn, *body;
    size_t len;
    int answers, status;
    bool stranger; /* whoever sends it is not the homeserver */
};

bool exchange_bears(const struct exchange *exchange, const char *token)
{
    return !exchange->stranger && strcmp(token, HS_TOKEN) == 0;
}

const char *exchange_rest(const struct exchange *exchange)
{
    return exchange->txn;
}

const char *exchange_body(const struct exchange *exchange, size_t *len)
{
    *len = exchange->len;
    return exchange->body;
}

void exchange_reply_json(struct exchange *exchange, int status, const char *json)
{
    ++exchange->answers;
    exchange->status = status;
}

/* What the bot hears has all that an answer needs; what takes the place of an older message is no word. */
static void take_word(const json_t *event)
{
    struct talk_word word;
    const json_t *content = json_get_object(event, "content"), *relation = json_get_object(content, "m.relates_to");
    const char *how = json_get_string(relation, "rel_type"), *type = json_get_string(event, "type");
    if (!talk_word_of(event, &word))
        return;
    must(word.room_id != NULL && word.event_id != NULL && word.sender != NULL && word.body != NULL);
    must(word.reaction == (strcmp(type, "m.reaction") == 0) && (!word.reaction || word.to != NULL));
    must(word.reaction || how == NULL || strcmp(how, "m.replace") != 0);
    must(word.child == NULL && word.audience == NULL);
}

static bool hear(void *self, const json_t *event)
{
    const char *words = json_get_string(json_get_object(event, "content"), "body");
    if (words != NULL)
        take_words(words);
    take_word(event);
    ++*(int *)self;
    return true;
}

/* Each is answered once; one that was heard has no effect when it comes again. */
static int send_transaction(struct state *state, struct exchange *exchange)
{
    int heard = 0;
    const struct sink sink = {.hear = hear, .self = &heard};
    struct incoming *incoming = incoming_create(HS_TOKEN);
    struct exchange stranger = {.txn = exchange->txn, .body = exchange->body, .len = exchange->len, .stranger = true};
    must(!incoming_take(incoming, &stranger) && stranger.status == 401);
    bool waits = incoming_take(incoming, exchange);
    must(exchange->answers == !waits);
    incoming_hear_all(incoming, state, &sink);
    must(exchange->answers == 1 && exchange->status == (waits ? 200 : 400) && (waits || heard == 0));
    incoming_destroy(incoming);
    return heard;
}

/* The first line is its id. */
static void take_transaction(const char *bytes, size_t len)
{
    static struct state *state;
    struct text problem = TEXT_INIT;
    if (state == NULL)
        state = state_open(":memory:", &problem);
    must(state != NULL);
    const char *end = memchr(bytes, '\n', len);
    size_t n = end != NULL ? (size_t)(end - bytes) : len;
    char *txn = xstrndup(bytes, n);
    struct exchange first = {.txn = txn, .body = bytes + n, .len = len - n}, again = first;
    send_transaction(state, &first);
    must(send_transaction(state, &again) == 0 && again.status == first.status);
    state_begin(state);
    state_transaction_note(state, "", 0, INT64_MAX); /* each input begins anew */
    must(state_commit(state));
    free(txn);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct reading reading;
    unsigned char hash[RECORD_HASH_BYTES];
    if (len == 0)
        return 0;
    const char *rest = (const char *)bytes + 1;
    char *text = xstrndup(rest, len - 1);
    reading_init(&reading, (struct window){20260818, 20260915});
    switch (*bytes % 8) {
    case 0: csv_read_records(&reading, rest, len - 1); break;
    case 1: take_dnevnik(&reading, rest, len - 1); break;
    case 2: icalendar_read_records(&reading, rest, len - 1, "c7", "Europe/Moscow"); break;
    case 3: take_oneroster(&reading, rest, len - 1); break;
    case 4: webhook_read_records(&reading, rest, len - 1); break;
    case 5: take_roster(rest, len - 1); break;
    case 6: webhook_check("a secret of some length", "1788220800", text, "{}", 2, 0, hash); break;
    case 7: take_transaction(rest, len - 1); break;
    }
    reading_end(&reading);
    for (size_t i = 0; i < reading.n; ++i) {
        must(record_fault(&reading.records[i]) == NULL);
        must(reading.records[i].day >= reading.window.from && reading.records[i].day <= reading.window.to);
        must(i == 0 || strcmp(reading.records[i - 1].id, reading.records[i].id) < 0);
        must(reading_find(&reading, reading.records[i].id) == &reading.records[i]);
    }
    reading_finish(&reading);
    free(text);
    return 0;
}
