/* Push rules: the first line is what the store has (or a rule that a client sends), the second an event's content.
 * Nothing may crash or leak; the ruleset shown is JSON; a rule that is accepted compiles; of a proper content the
 * properties that are read without a tree are those that a tree has. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/push/rules/evaluate.h"
#include "homeserver/push/rules/document.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void ask(const char *stored, const char *content)
{
    struct push_rules *rules = push_rules_compile(stored);
    struct push_event event;
    struct push_facts facts = {.type = "m.room.message",
                               .sender = "@you:b",
                               .room_id = "!r:b",
                               .content = content,
                               .members = 2,
                               .sender_power = 50};
    push_event_init(&event, &facts);
    struct push_result r = push_evaluate(rules, &event, &(struct push_viewer){"@me:b", "Me ?*"});
    require(r.notify || !r.highlight);
    require(!push_evaluate(rules, &event, &(struct push_viewer){"@you:b", NULL}).notify);
    push_event_finish(&event);
    push_rules_unref(rules);
}

static void compare(const struct push_value *value, const json_t *tree)
{
    if (json_is_string(tree))
        require(value->kind == PUSH_STRING && value->len == json_string_length(tree) &&
                memcmp(value->s, json_string_value(tree), value->len) == 0);
    else
        require(value->kind != PUSH_STRING && (value->kind == PUSH_ABSENT) == (tree == NULL));
}

static void check_slots(json_t *tree)
{
    struct push_event event;
    char *content = json_canonical(tree);
    const json_t *mentions = json_get_object(tree, "m.mentions");
    push_event_init(&event, &(struct push_facts){.type = "t", .sender = "@a:b", .room_id = "!r:b", .content = content});
    compare(&event.slots[PUSH_BODY], json_object_get(tree, "body"));
    compare(&event.slots[PUSH_MSGTYPE], json_object_get(tree, "msgtype"));
    compare(&event.slots[PUSH_MENTIONS_ROOM], json_object_get(mentions, "room"));
    compare(&event.slots[PUSH_REL_TYPE], json_object_get(json_get_object(tree, "m.relates_to"), "rel_type"));
    size_t strings = 0, i;
    json_t *item;
    json_array_foreach(json_get_array(mentions, "user_ids"), i, item)
        strings += json_is_string(item);
    require(event.n_mentions == strings);
    push_event_finish(&event);
    free(content);
}

static void put(const char *body_text)
{
    struct error e = {0};
    json_t *body = json_parse(body_text, strlen(body_text), &e), *rules = push_rules_open(NULL);
    for (int kind = 0; json_is_object(body) && kind < PUSH_RULE_KIND__COUNT; ++kind)
        push_rules_put(rules, (enum push_rule_kind)kind, "rule", body, &(struct push_place){0}, &e);
    char *stored = push_rules_close(rules, &e);
    if (stored != NULL)
        ask(stored, "{\"body\":\"hi me\"}");
    free(stored);
    json_decref(rules);
    json_decref(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct error e = {0};
    struct text shown = TEXT_INIT;
    char *stored = strndup((const char *)bytes, len), *content = strchr(stored, '\n');
    if (content != NULL)
        *content++ = '\0';
    ask(stored, content);
    put(stored);
    push_rules_add_content(&shown, stored, "@me:b");
    json_t *whole = json_parse(shown.data, shown.len, &e);
    require(whole != NULL);
    json_t *tree = content != NULL ? json_parse(content, strlen(content), &e) : NULL;
    if (json_is_object(tree))
        check_slots(tree);
    json_decref(tree);
    json_decref(whole);
    text_finish(&shown);
    free(stored);
    return 0;
}
