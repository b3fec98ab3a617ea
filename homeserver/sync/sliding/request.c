#include "homeserver/sync/sliding/request.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/ids.h"
#include "homeserver/base/json.h"
#include "homeserver/base/text.h"

const char SLIDING_ME[] = "$ME";

struct parse {
    struct sliding_request *out;
    struct error *e;
};

static bool bad(struct parse *p, const char *member)
{
    return error_set_parameter(p->e, ERROR_BAD_JSON, member, "This member is not what it should be.");
}

static bool too_much(struct parse *p, const char *member)
{
    return error_set_parameter(p->e, ERROR_INVALID_PARAM, member, "This is too much, too long or out of bounds.");
}

static uint64_t digest_of(const char *bytes, size_t len)
{
    unsigned char whole[SHA256_BYTES];
    uint64_t part;
    sha256(bytes, len, whole);
    memcpy(&part, whole, sizeof part);
    return part;
}

/* Members that may be absent, or null. */

static bool read_string(struct parse *p, const json_t *object, const char *key, size_t max, const char **out)
{
    const json_t *value = json_object_get(object, key);
    *out = json_string_value(value);
    if (value != NULL && !json_is_null(value) && *out == NULL)
        return bad(p, key);
    return *out == NULL || strlen(*out) <= max || too_much(p, key);
}

/* Clamped to max. */
static bool read_number(struct parse *p, const json_t *object, const char *key, int64_t max, int64_t *out)
{
    const json_t *value = json_object_get(object, key);
    int64_t n = json_integer_value(value);
    if (value != NULL && !json_is_null(value) && !json_is_integer(value))
        return bad(p, key);
    *out = n < max ? n : max;
    return n >= 0 || too_much(p, key);
}

static bool read_bool(struct parse *p, const json_t *object, const char *key, bool *out)
{
    const json_t *value = json_object_get(object, key);
    *out = json_is_true(value);
    return value == NULL || json_is_null(value) || json_is_boolean(value) || bad(p, key);
}

static bool read_choice(struct parse *p, const json_t *object, const char *key, enum sliding_choice *out)
{
    bool yes;
    const json_t *value = json_object_get(object, key);
    if (!read_bool(p, object, key, &yes))
        return false;
    *out = value == NULL || json_is_null(value) ? SLIDING_EITHER : yes ? SLIDING_YES : SLIDING_NO;
    return true;
}

/* null: null may stand among the strings. */
static bool read_names(struct parse *p, const json_t *object, const char *key, bool null, const json_t **out)
{
    const json_t *value = json_object_get(object, key), *item;
    size_t i;
    *out = NULL;
    if (value == NULL || json_is_null(value))
        return true;
    if (!json_is_array(value))
        return bad(p, key);
    if (json_array_size(value) > SLIDING_NAMES_MAX)
        return too_much(p, key);
    json_array_foreach(value, i, item)
        if (!json_is_string(item) && !(null && json_is_null(item)))
            return bad(p, key);
    *out = value;
    return true;
}

static bool read_object(struct parse *p, const json_t *object, const char *key, size_t max, const json_t **out)
{
    *out = json_object_get(object, key);
    if (json_is_null(*out))
        *out = NULL;
    if (*out != NULL && !json_is_object(*out))
        return bad(p, key);
    return json_object_size(*out) <= max || too_much(p, key);
}

/* Required state. */

static bool is_member(const char *type)
{
    return strcmp(type, "m.room.member") == 0;
}

static bool key_is(const struct sliding_element *element, const char *state_key, const char *me)
{
    return element->state_key == NULL ||
           strcmp(strcmp(element->state_key, SLIDING_ME) == 0 ? me : element->state_key, state_key) == 0;
}

bool sliding_part_wants(const struct sliding_part *part, const char *type, const char *state_key, const char *me)
{
    bool lazy = part->lazy && is_member(type), named = lazy, wanted = false;
    for (size_t i = 0; !named && i < part->n_include; ++i)
        named = part->of[i].type != NULL && strcmp(part->of[i].type, type) == 0;
    for (size_t i = 0; !wanted && i < part->n_include; ++i) {
        const struct sliding_element *in = &part->of[i];
        bool of_type = in->type == NULL ? !(part->narrows && named) : strcmp(in->type, type) == 0;
        wanted = of_type && key_is(in, state_key, me) && !(lazy && in->state_key == NULL);
    }
    for (size_t i = part->n_include; wanted && i < part->n; ++i) {
        const struct sliding_element *out = &part->of[i];
        wanted = (out->type != NULL && strcmp(out->type, type) != 0) || !key_is(out, state_key, me);
    }
    return wanted;
}

static bool add_element(struct parse *p, struct sliding_part *part, const char *type, const char *state_key)
{
    if (part->n == SLIDING_ELEMENTS_MAX)
        return too_much(p, "required_state");
    if (part->n % 8 == 0)
        part->of = xrealloc(part->of, (part->n + 8) * sizeof *part->of);
    part->of[part->n++] = (struct sliding_element){type, state_key};
    return true;
}

/* [["m.room.name", ""], ["m.room.member", "$LAZY"], ["*", "*"]]: of "*" for both, what others say of a type narrows. */
static bool read_pairs(struct parse *p, const json_t *list, struct sliding_part *part)
{
    size_t i;
    const json_t *pair;
    bool all_members = false;
    if (list != NULL && !json_is_array(list))
        return bad(p, "required_state");
    json_array_foreach(list, i, pair) {
        const char *type = json_string_value(json_array_get(pair, 0)),
                   *key = json_string_value(json_array_get(pair, 1));
        if (json_array_size(pair) != 2 || type == NULL || key == NULL)
            return bad(p, "required_state");
        if (is_member(type) && strcmp(key, "$LAZY") == 0) {
            part->lazy = true;
            continue;
        }
        type = strcmp(type, "*") == 0 ? NULL : type;
        key = strcmp(key, "*") == 0 ? NULL : key;
        part->narrows |= type == NULL && key == NULL;
        all_members |= type != NULL && is_member(type) && key == NULL;
        if (!add_element(p, part, type, key))
            return false;
    }
    part->lazy &= !all_members;
    part->n_include = part->n;
    return true;
}

static bool read_elements(struct parse *p, const json_t *object, const char *key, struct sliding_part *part)
{
    size_t i;
    const json_t *list = json_object_get(object, key), *element;
    if (list != NULL && !json_is_null(list) && !json_is_array(list))
        return bad(p, key);
    json_array_foreach(list, i, element) {
        const char *type, *state_key;
        if (!json_is_object(element))
            return bad(p, key);
        if (!read_string(p, element, "type", ID_BYTES_MAX, &type) ||
            !read_string(p, element, "state_key", ID_BYTES_MAX, &state_key) || !add_element(p, part, type, state_key))
            return false;
    }
    return true;
}

/* {"include": [{"type", "state_key"}], "exclude": […], "lazy_members": true} */
static bool read_choices(struct parse *p, const json_t *object, struct sliding_part *part)
{
    if (object != NULL && !json_is_object(object))
        return bad(p, "required_state");
    if (!read_bool(p, object, "lazy_members", &part->lazy) || !read_elements(p, object, "include", part))
        return false;
    part->n_include = part->n;
    return read_elements(p, object, "exclude", part);
}

/* Many lists want the same: each is there once. */
static bool read_part(struct parse *p, const json_t *object, uint8_t *out)
{
    struct sliding_request *r = p->out;
    struct text text = TEXT_INIT;
    const json_t *required = json_object_get(object, "required_state");
    if (json_is_null(required))
        required = NULL;
    if (required != NULL)
        json_add_canonical(&text, required);
    uint64_t digest = digest_of(text.len != 0 ? text.data : "", text.len);
    text_finish(&text);
    for (size_t i = 0; i < r->n_parts; ++i)
        if (r->parts[i].digest == digest) {
            *out = (uint8_t)i;
            return true;
        }
    if (r->n_parts == SLIDING_PARTS_MAX)
        return too_much(p, "required_state");
    *out = (uint8_t)r->n_parts;
    struct sliding_part *part = &r->parts[r->n_parts++];
    *part = (struct sliding_part){.digest = digest};
    return r->form == SLIDING_STABLE ? read_choices(p, required, part) : read_pairs(p, required, part);
}

static bool read_config(struct parse *p, const json_t *object, struct sliding_config *out)
{
    int64_t limit = 0;
    if (!read_number(p, object, "timeline_limit", SLIDING_TIMELINE_MAX, &limit))
        return false;
    out->timeline_limit = (uint16_t)limit;
    return read_part(p, object, &out->part);
}

/* Lists. */

static bool read_range(struct parse *p, const json_t *pair, const char *key, struct sliding_list *list)
{
    const json_t *first = json_array_get(pair, 0), *last = json_array_get(pair, 1);
    if (json_array_size(pair) != 2 || !json_is_integer(first) || !json_is_integer(last))
        return bad(p, key);
    struct sliding_range range = {json_integer_value(first), json_integer_value(last)};
    if (range.first < 0 || range.last < range.first || list->n_ranges == SLIDING_RANGES_MAX)
        return too_much(p, key);
    list->ranges[list->n_ranges++] = range;
    return true;
}

static bool read_ranges(struct parse *p, const json_t *object, struct sliding_list *list)
{
    bool stable = p->out->form == SLIDING_STABLE;
    const char *key = stable ? "range" : "ranges";
    const json_t *value = json_object_get(object, key), *pair;
    size_t i;
    if (stable && (value == NULL || json_is_null(value))) {
        list->ranges[list->n_ranges++] = (struct sliding_range){0, INT64_MAX - 1};
        return true;
    }
    if (stable)
        return read_range(p, value, key, list);
    if (value != NULL && !json_is_null(value) && !json_is_array(value))
        return bad(p, key);
    json_array_foreach(value, i, pair)
        if (!read_range(p, pair, key, list))
            return false;
    return true;
}

static bool read_filter(struct parse *p, const json_t *object, struct sliding_filter *out)
{
    const json_t *filters;
    const char *invited = p->out->form == SLIDING_STABLE ? "is_invited" : "is_invite";
    return read_object(p, object, "filters", SIZE_MAX, &filters) && read_choice(p, filters, "is_dm", &out->is_dm) &&
           read_choice(p, filters, "is_encrypted", &out->is_encrypted) &&
           read_choice(p, filters, invited, &out->is_invited) &&
           read_names(p, filters, "room_types", true, &out->room_types) &&
           read_names(p, filters, "not_room_types", true, &out->not_room_types) &&
           read_names(p, filters, "tags", false, &out->tags) &&
           read_names(p, filters, "not_tags", false, &out->not_tags) &&
           read_names(p, filters, "spaces", false, &out->spaces);
}

/* In whatever order they stand. */
static uint64_t list_digest(const struct sliding_request *r, const struct sliding_list *list, const json_t *object)
{
    struct text text = TEXT_INIT;
    text_add(&text, list->name, strlen(list->name) + 1);
    text_addf(&text, "%u %llx ", list->config.timeline_limit, (unsigned long long)r->parts[list->config.part].digest);
    if (json_is_object(json_object_get(object, "filters")))
        json_add_canonical(&text, json_object_get(object, "filters"));
    uint64_t digest = digest_of(text.data, text.len);
    text_finish(&text);
    return digest;
}

static bool read_lists(struct parse *p, const json_t *body)
{
    struct sliding_request *r = p->out;
    const json_t *lists;
    const char *name;
    json_t *object;
    if (!read_object(p, body, "lists", SLIDING_LISTS_MAX, &lists))
        return false;
    r->lists = xcalloc(json_object_size(lists) + 1, sizeof *r->lists);
    json_object_foreach((json_t *)lists, name, object) {
        struct sliding_list *list = &r->lists[r->n_lists++];
        list->name = name;
        if (strlen(name) > SLIDING_ID_MAX)
            return too_much(p, "lists");
        if (!json_is_object(object))
            return bad(p, "lists");
        if (!read_config(p, object, &list->config) || !read_ranges(p, object, list) ||
            !read_filter(p, object, &list->filter))
            return false;
        r->lists_digest ^= list_digest(r, list, object);
    }
    return true;
}

static bool read_subscriptions(struct parse *p, const json_t *body)
{
    struct sliding_request *r = p->out;
    const json_t *rooms;
    const char *room_id;
    json_t *object;
    if (!read_object(p, body, "room_subscriptions", SLIDING_SUBSCRIPTIONS_MAX, &rooms))
        return false;
    r->subscriptions = xcalloc(json_object_size(rooms) + 1, sizeof *r->subscriptions);
    json_object_foreach((json_t *)rooms, room_id, object) {
        struct sliding_subscription *subscription = &r->subscriptions[r->n_subscriptions++];
        subscription->room_id = room_id;
        if (!json_is_object(object))
            return bad(p, "room_subscriptions");
        if (!read_config(p, object, &subscription->config))
            return false;
    }
    return true;
}

/* Extensions. What is not known is passed over. */

static bool read_extensions(struct parse *p, const json_t *body)
{
    static const char *const NAMES[SLIDING_EXTENSION__COUNT] = {
        [SLIDING_TO_DEVICE] = "to_device",
        [SLIDING_E2EE] = "e2ee",
        [SLIDING_ACCOUNT_DATA] = "account_data",
        [SLIDING_RECEIPTS] = "receipts",
        [SLIDING_TYPING] = "typing",
        [SLIDING_THREADS] = "io.element.msc4308.thread_subscriptions",
    };
    const json_t *all, *object;
    if (!read_object(p, body, "extensions", SIZE_MAX, &all))
        return false;
    for (int i = 0; i < SLIDING_EXTENSION__COUNT; ++i) {
        struct sliding_extension *extension = &p->out->extensions[i];
        if (!read_object(p, all, NAMES[i], SIZE_MAX, &object) ||
            !read_bool(p, object, "enabled", &extension->enabled) ||
            !read_names(p, object, "lists", false, &extension->lists) ||
            !read_names(p, object, "rooms", false, &extension->rooms) ||
            !read_string(p, object, "since", ID_BYTES_MAX, &extension->since) ||
            !read_number(p, object, "limit", SLIDING_THREADS_MAX, &extension->limit))
            return false;
        if (extension->limit == 0)
            extension->limit = SLIDING_THREADS_MAX;
    }
    return true;
}

static bool has_name(const json_t *list, const char *name)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
        if (strcmp(json_string_value(item), "*") == 0 || strcmp(json_string_value(item), name) == 0)
            return true;
    return list == NULL;
}

bool sliding_extension_wants_list(const struct sliding_extension *extension, const char *list)
{
    return has_name(extension->lists, list);
}

bool sliding_extension_wants_room(const struct sliding_extension *extension, const char *room_id)
{
    return has_name(extension->rooms, room_id);
}

/* What the unstable form has in its query. */
static bool read_waiting(struct parse *p, const json_t *body)
{
    struct sliding_request *r = p->out;
    const char *presence;
    r->presence = PRESENCE_ONLINE;
    if (r->form != SLIDING_STABLE)
        return true;
    if (!read_string(p, body, "pos", ID_BYTES_MAX, &r->pos) ||
        !read_number(p, body, "timeout", SLIDING_TIMEOUT_MAX_MS, &r->timeout_ms) ||
        !read_string(p, body, "set_presence", ID_BYTES_MAX, &presence))
        return false;
    return presence == NULL || presence_state_from(presence, &r->presence) || too_much(p, "set_presence");
}

bool sliding_request_parse(struct sliding_request *out, enum sliding_form form, const json_t *body, struct error *e)
{
    struct parse p = {out, e};
    *out = (struct sliding_request){.form = form};
    if (!read_string(&p, body, "conn_id", SLIDING_ID_MAX, &out->conn_id) ||
        !read_string(&p, body, "txn_id", SLIDING_ID_MAX, &out->txn_id) || !read_waiting(&p, body) ||
        !read_lists(&p, body) || !read_subscriptions(&p, body) || !read_extensions(&p, body))
        return false;
    if (out->conn_id == NULL)
        out->conn_id = "";
    return true;
}

void sliding_request_finish(struct sliding_request *request)
{
    for (size_t i = 0; i < request->n_parts; ++i)
        free(request->parts[i].of);
    free(request->lists);
    free(request->subscriptions);
    *request = (struct sliding_request){0};
}
