#include "homeserver/search/request.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/json.h"
#include "homeserver/base/text.h"
#include "homeserver/rooms/read/filter.h"
#include "homeserver/store/driver/search_index.h"

/* A word of a list that is known, as a bit: 1 << its place. 0: none of them. */
static unsigned bit_of(const json_t *word, const char *const *words)
{
    const char *s = json_string_value(word);
    for (size_t i = 0; s != NULL && words[i] != NULL; ++i)
        if (strcmp(s, words[i]) == 0)
            return 1u << i;
    return 0;
}

static bool parse_keys(const json_t *keys, struct search_request *out, struct error *e)
{
    static const char *const KEYS[] = {"content.body", "content.name", "content.topic", NULL};
    size_t i;
    json_t *key;
    out->keys = keys == NULL || json_is_null(keys) ? SEARCH_BODY | SEARCH_NAME | SEARCH_TOPIC : 0;
    json_array_foreach(keys, i, key) {
        unsigned bit = bit_of(key, KEYS);
        if (bit == 0)
            return error_set_parameter(e, ERROR_INVALID_PARAM, "keys",
                                       "keys are content.body, content.name and content.topic.");
        out->keys |= bit;
    }
    return out->keys != 0 || error_set_parameter(e, ERROR_INVALID_PARAM, "keys", "keys must be a list of keys.");
}

static bool parse_order(const json_t *order, struct search_request *out, struct error *e)
{
    static const char *const ORDERS[] = {"recent", "rank", NULL};
    unsigned bit = order != NULL ? bit_of(order, ORDERS) : 2;
    out->by_rank = bit == 2;
    return bit != 0 || error_set_parameter(e, ERROR_INVALID_PARAM, "order_by", "order_by is \"rank\" or \"recent\".");
}

static bool parse_groups(const json_t *groupings, struct search_request *out, struct error *e)
{
    static const char *const GROUPS[] = {"room_id", "sender", NULL};
    size_t i;
    json_t *group;
    const json_t *by = json_object_get(groupings, "group_by");
    unsigned bits = 0;
    if ((groupings != NULL && !json_is_object(groupings)) || (by != NULL && !json_is_array(by)))
        return error_set_parameter(e, ERROR_BAD_JSON, "groupings", "groupings.group_by must be a list.");
    json_array_foreach(by, i, group) {
        unsigned bit = bit_of(json_object_get(group, "key"), GROUPS);
        if (bit == 0)
            return error_set_parameter(e, ERROR_INVALID_PARAM, "groupings", "Groups are by room_id or sender.");
        bits |= bit;
    }
    out->by_room = (bits & 1) != 0;
    out->by_sender = (bits & 2) != 0;
    return true;
}

static bool read_count(const json_t *object, const char *key, size_t *out, struct error *e)
{
    const json_t *value = json_object_get(object, key);
    if (value == NULL)
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return error_set_parameter(e, ERROR_BAD_JSON, "event_context", "Limits are whole numbers.");
    json_int_t n = json_integer_value(value);
    *out = n > SEARCH_CONTEXT_MAX ? SEARCH_CONTEXT_MAX : (size_t)n;
    return true;
}

static bool parse_context(const json_t *context, struct search_request *out, struct error *e)
{
    out->context.before = out->context.after = SEARCH_CONTEXT_DEFAULT;
    out->context.wanted = context != NULL && !json_is_null(context);
    if (out->context.wanted && !json_is_object(context))
        return error_set_parameter(e, ERROR_BAD_JSON, "event_context", "event_context must be an object.");
    out->context.profiles = json_get_bool(context, "include_profile", false);
    return read_count(context, "before_limit", &out->context.before, e) &&
           read_count(context, "after_limit", &out->context.after, e);
}

static bool parse_term(const json_t *term, struct search_request *out, struct error *e)
{
    out->term = json_string_value(term);
    if (term == NULL)
        return error_set_parameter(e, ERROR_MISSING_PARAM, "search_term", "search_term is missing.");
    if (out->term == NULL)
        return error_set_parameter(e, ERROR_BAD_JSON, "search_term", "search_term must be a string.");
    return json_string_length(term) <= SEARCH_TERM_BYTES_MAX ||
           error_set_parameter(e, ERROR_INVALID_PARAM, "search_term", "search_term is too long.");
}

static int64_t identity_of(const struct search_request *request)
{
    unsigned char hash[SHA256_BYTES];
    struct text what = TEXT_INIT;
    int64_t identity;
    text_addf(&what, "%u %d ", request->keys, request->by_rank);
    text_add(&what, (const char *)request->filter->identity, sizeof request->filter->identity);
    text_adds(&what, request->term);
    sha256(what.data, what.len, hash);
    memcpy(&identity, hash, sizeof identity);
    text_finish(&what);
    return identity & INT64_MAX;
}

bool search_request_parse(const json_t *room_events, struct search_request *out, struct error *e)
{
    *out = (struct search_request){.state = json_get_bool(room_events, "include_state", false)};
    if (!json_is_object(room_events))
        return error_set_parameter(e, ERROR_BAD_JSON, "room_events", "room_events must be an object.");
    if (!parse_term(json_object_get(room_events, "search_term"), out, e) ||
        !parse_keys(json_object_get(room_events, "keys"), out, e) ||
        !parse_order(json_object_get(room_events, "order_by"), out, e) ||
        !parse_groups(json_object_get(room_events, "groupings"), out, e) ||
        !parse_context(json_object_get(room_events, "event_context"), out, e))
        return false;
    out->filter = filter_parse_events(json_object_get(room_events, "filter"), e);
    if (out->filter == NULL)
        return false;
    size_t limit = (size_t)out->filter->timeline.limit;
    out->limit = limit == 0 ? SEARCH_RESULTS_DEFAULT : limit > SEARCH_RESULTS_MAX ? SEARCH_RESULTS_MAX : limit;
    out->identity = identity_of(out);
    return true;
}

void search_request_finish(struct search_request *request)
{
    filter_unref(request->filter);
    *request = (struct search_request){0};
}
