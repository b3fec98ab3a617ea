/* Client-Server API, "Push Rules: API". */
#include <stdlib.h>
#include <string.h>

#include "client-api/routes.h"
#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "homeserver/push/rules/document.h"
#include "homeserver/store/matrix/account_data.h"
#include "homeserver/store/bounds.h"
#include "homeserver/store/driver/writer.h"

static json_t *load_whole(struct request *r)
{
    char *stored = account_data_get(r->db, r->identity.user, 0, PUSH_RULES_TYPE);
    json_t *whole = push_rules_whole(stored, r->identity.user_id);
    free(stored);
    return whole;
}

static bool get_all(struct request *r)
{
    return reply_json(r, load_whole(r));
}

static bool get_global(struct request *r)
{
    json_t *whole = load_whole(r), *global = json_incref(json_get_object(whole, "global"));
    json_decref(whole);
    return reply_json(r, global);
}

static bool read_kind(struct request *r, enum push_rule_kind *kind)
{
    return push_rule_kind_from(r->params[0], kind) || refuse(r, ERROR_NOT_FOUND, "There is no such kind of push rule.");
}

/* The rule that the path names, with a reference of its own. NULL: refused. */
static json_t *load_rule(struct request *r)
{
    enum push_rule_kind kind;
    if (!read_kind(r, &kind))
        return NULL;
    json_t *whole = load_whole(r), *rule = json_incref(push_rules_find(whole, kind, r->params[1]));
    json_decref(whole);
    if (rule == NULL)
        refuse(r, ERROR_NOT_FOUND, "There is no such push rule.");
    return rule;
}

static bool get_rule(struct request *r)
{
    json_t *rule = load_rule(r);
    return rule != NULL && reply_json(r, rule);
}

static bool get_member(struct request *r, const char *member)
{
    json_t *rule = load_rule(r);
    if (rule == NULL)
        return false;
    json_t *value = json_pack("{s:O}", member, json_object_get(rule, member));
    json_decref(rule);
    return reply_json(r, value);
}

static bool get_enabled(struct request *r)
{
    return get_member(r, "enabled");
}

static bool get_actions(struct request *r)
{
    return get_member(r, "actions");
}

/* A change, as the writer's job makes it: bring the rules, change them, bring them back if anything is different. */
struct edit {
    bool (*apply)(const struct edit *edit, json_t *rules, struct error *e);
    user_no user;
    enum push_rule_kind kind;
    const char *rule_id;
    const json_t *body;
    struct push_place place;
    bool enabled;
};

static bool edit_job(struct tx *tx, void *arg, struct error *e)
{
    const struct edit *edit = arg;
    char *stored = account_data_get(tx->db, edit->user, 0, PUSH_RULES_TYPE);
    json_t *rules = push_rules_open(stored);
    char *changed = edit->apply(edit, rules, e) ? push_rules_close(rules, e) : NULL;
    bool ok = changed != NULL;
    if (ok && (stored == NULL || strcmp(stored, changed) != 0))
        ok = account_data_put(tx, edit->user, 0, PUSH_RULES_TYPE, changed) &&
             bound_kept(tx->db, BOUND_ACCOUNT_DATA_SIZE, edit->user, 0, e);
    json_decref(rules);
    free(changed);
    free(stored);
    return ok;
}

static bool edit(struct request *r, struct edit *edit)
{
    if (!read_kind(r, &edit->kind))
        return false;
    edit->user = r->identity.user;
    edit->rule_id = r->params[1];
    edit->body = r->body;
    return writer_run(r->server->writer, edit_job, edit, &r->error) && reply_empty(r);
}

static bool apply_put(const struct edit *edit, json_t *rules, struct error *e)
{
    return push_rules_put(rules, edit->kind, edit->rule_id, edit->body, &edit->place, e);
}

static bool apply_delete(const struct edit *edit, json_t *rules, struct error *e)
{
    return push_rules_delete(rules, edit->kind, edit->rule_id, e);
}

static bool apply_enabled(const struct edit *edit, json_t *rules, struct error *e)
{
    return push_rules_set_enabled(rules, edit->kind, edit->rule_id, edit->enabled, e);
}

static bool apply_actions(const struct edit *edit, json_t *rules, struct error *e)
{
    return push_rules_set_actions(rules, edit->kind, edit->rule_id, json_object_get(edit->body, "actions"), e);
}

static bool put_rule(struct request *r)
{
    return edit(r, &(struct edit){.apply = apply_put, .place = {query_get(r, "before"), query_get(r, "after")}});
}

static bool delete_rule(struct request *r)
{
    return edit(r, &(struct edit){.apply = apply_delete});
}

static bool put_enabled(struct request *r)
{
    const json_t *enabled = json_object_get(r->body, "enabled");
    if (enabled == NULL)
        return refuse(r, ERROR_MISSING_PARAM, "The body needs enabled.");
    if (!json_is_boolean(enabled))
        return refuse(r, ERROR_INVALID_PARAM, "enabled must be true or false.");
    return edit(r, &(struct edit){.apply = apply_enabled, .enabled = json_is_true(enabled)});
}

static bool put_actions(struct request *r)
{
    return edit(r, &(struct edit){.apply = apply_actions});
}

/* The one scope is "global"; any other is an unknown path. */
#define RULE "/_matrix/client/v3/pushrules/global/{kind}/{ruleId}"
#define WRITES (ROUTE_AUTH | ROUTE_BODY)
static const struct route TABLE[] = {
    {HTTP_GET, "/_matrix/client/v3/pushrules/", get_all, ROUTE_AUTH, RATE_NONE, "getPushRules"},
    {HTTP_GET, "/_matrix/client/v3/pushrules/global/", get_global, ROUTE_AUTH, RATE_NONE, "getPushRulesGlobal"},
    {HTTP_GET, RULE, get_rule, ROUTE_AUTH, RATE_NONE, "getPushRule"},
    {HTTP_PUT, RULE, put_rule, WRITES, RATE_WRITE, "setPushRule"},
    {HTTP_DELETE, RULE, delete_rule, ROUTE_AUTH, RATE_WRITE, "deletePushRule"},
    {HTTP_GET, RULE "/enabled", get_enabled, ROUTE_AUTH, RATE_NONE, "isPushRuleEnabled"},
    {HTTP_PUT, RULE "/enabled", put_enabled, WRITES, RATE_WRITE, "setPushRuleEnabled"},
    {HTTP_GET, RULE "/actions", get_actions, ROUTE_AUTH, RATE_NONE, "getPushRuleActions"},
    {HTTP_PUT, RULE "/actions", put_actions, WRITES, RATE_WRITE, "setPushRuleActions"},
};
const struct routes PUSHRULES_ROUTES = ROUTES(TABLE);
