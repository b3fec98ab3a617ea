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

static bool asks_room(const struct condition *c)
{
    return c->ask == ASK_MEMBERS || c->slot == PUSH_ROOM_ID;
}

/* Whether what the rule asks of the room alone holds there. */
static bool holds_in(const struct push_rules *rules, const struct rule *rule, const struct push_event *room)
{
    static const struct push_viewer NOBODY = {.user_id = ""};
    for (uint32_t i = 0; i < rule->n; ++i) {
        const struct condition *c = &rules->conditions[rule->first + i];
        if (asks_room(c) && !push_condition_holds(rules, room, &NOBODY, c))
            return false;
    }
    return true;
}

/* The rule's conditions that the room leaves open; how many. */
static uint32_t add_open(struct text *out, const struct push_rules *rules, const struct rule *rule)
{
    uint32_t open = 0;
    for (uint32_t i = 0; i < rule->n; ++i) {
        const struct condition *c = &rules->conditions[rule->first + i];
        if (asks_room(c))
            continue;
        add_condition(out, rules, c);
        ++open;
    }
    return open;
}

static void find(const struct push_rules *rules, const struct push_event *room, struct push_scope *out)
{
    struct text text = TEXT_INIT;
    uint32_t open = 1;
    out->notifies = false;
    for (uint32_t i = 0; i < rules->n && open != 0; ++i) { /* what comes after one that always matches never does */
        const struct rule *rule = &rules->rules[i];
        if (rule->of_room && !holds_in(rules, rule, room))
            continue;
        open = add_open(&text, rules, rule);
        text_addc(&text, (char)('0' + rule->notify + 2 * rule->highlight));
        out->notifies |= rule->notify;
    }
    blake2b(text.data, text.len, out->digest);
    text_finish(&text);
}

static void init_room(struct push_event *room, const char *room_id, int64_t members)
{
    push_event_init(room, &(struct push_facts){.type = "", .sender = "", .room_id = room_id, .members = members});
}

void push_rules_keep_scopes(struct push_rules *rules)
{
    static const int64_t MEMBERS[PUSH_SCOPES] = {30, 2};
    struct push_event room;
    rules->scopes = xcalloc(PUSH_SCOPES, sizeof *rules->scopes);
    for (uint32_t i = 0; i < rules->n; ++i)
        for (uint32_t k = 0; k < rules->rules[i].n; ++k)
            rules->rules[i].of_room |= asks_room(&rules->conditions[rules->rules[i].first + k]);
    for (int s = 0; s < PUSH_SCOPES; ++s) {
        init_room(&room, "", MEMBERS[s]);
        for (uint32_t i = 0; i < rules->n; ++i)
            rules->rules[i].holds[s] = holds_in(rules, &rules->rules[i], &room);
        find(rules, &room, &rules->scopes[s]);
        push_event_finish(&room);
    }
}

/* Whether the same rules are left out there as in the kept scope. */
static bool is_kept(const struct push_rules *rules, const struct push_event *room, int scope)
{
    for (uint32_t i = 0; i < rules->n; ++i) {
        const struct rule *rule = &rules->rules[i];
        if (rule->of_room && rule->holds[scope] != holds_in(rules, rule, room))
            return false;
    }
    return true;
}

void push_rules_scope(const struct push_rules *rules, const char *room_id, int64_t members, const char *display_name,
                      struct push_scope *out)
{
    struct push_event room;
    int kept = 0;
    init_room(&room, room_id, members);
    while (kept < PUSH_SCOPES && !is_kept(rules, &room, kept))
        ++kept;
    if (kept < PUSH_SCOPES)
        *out = rules->scopes[kept];
    else
        find(rules, &room, out);
    if (display_name != NULL && *display_name != '\0') {
        struct text text = TEXT_INIT;
        text_add(&text, (const char *)out->digest, sizeof out->digest);
        text_adds(&text, display_name);
        blake2b(text.data, text.len, out->digest);
        text_finish(&text);
    }
    push_event_finish(&room);
}
