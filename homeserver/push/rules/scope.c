#include "homeserver/push/rules/scope.h"

#include <string.h>

#include "homeserver/base/text.h"
#include "homeserver/push/rules/evaluate_private.h"

/* The condition's own words, wherever in the pool they lie. */
static void add_condition(struct text *out, const struct push_rules *rules, const struct condition *c)
{
    const char *path = rules->pool + c->path, *end = path;
    for (uint16_t i = 0; c->slot == PUSH_SLOT__COUNT && i < c->path_n; ++i)
        end += strlen(end) + 1;
    const int64_t numbers[] = {c->ask, c->slot, c->compare, c->kind, end - path, c->text_len, c->json_len, c->n};
    text_addc(out, 'c');
    text_add(out, (const char *)numbers, sizeof numbers);
    text_add(out, path, (size_t)(end - path));
    text_add(out, rules->pool + c->text, c->text_len);
    text_add(out, rules->pool + c->json, c->json_len);
}

/* The rule's conditions that the room leaves open; *open: how many. false: one of the others never holds here. */
static bool add_conditions(struct text *out, const struct push_rules *rules, const struct rule *rule,
                           const struct push_event *room, uint32_t *open)
{
    static const struct push_viewer NOBODY = {.user_id = ""};
    *open = 0;
    for (uint32_t i = 0; i < rule->n; ++i) {
        const struct condition *c = &rules->conditions[rule->first + i];
        if (c->ask != ASK_MEMBERS && c->slot != PUSH_ROOM_ID) {
            add_condition(out, rules, c);
            *open += 1;
        } else if (!push_condition_holds(rules, room, &NOBODY, c)) {
            return false;
        }
    }
    return true;
}

void push_rules_scope(const struct push_rules *rules, const char *room_id, int64_t members, const char *display_name,
                      struct push_scope *out)
{
    struct text text = TEXT_INIT;
    struct push_event room;
    uint32_t open = 1;
    push_event_init(&room, &(struct push_facts){.type = "", .sender = "", .room_id = room_id, .members = members});
    out->notifies = false;
    text_adds(&text, display_name != NULL ? display_name : "");
    text_addc(&text, '\0');
    for (uint32_t i = 0; i < rules->n && open != 0; ++i) { /* what comes after one that always matches never does */
        const struct rule *rule = &rules->rules[i];
        size_t before = text.len;
        if (!add_conditions(&text, rules, rule, &room, &open)) {
            text.len = before;
            open = 1;
            continue;
        }
        text_addc(&text, (char)('0' + rule->notify + 2 * rule->highlight));
        out->notifies |= rule->notify;
    }
    sha256(text.data, text.len, out->digest);
    push_event_finish(&room);
    text_finish(&text);
}
