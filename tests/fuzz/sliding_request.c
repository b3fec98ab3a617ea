/* Requests of sliding sync: no body may crash or leak; what is taken keeps its bounds, is taken again from its
 * canonical form with the same digests, and of no event is more wanted than of everything. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "homeserver/sync/sliding/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_bounds(const struct sliding_request *r)
{
    if (r->n_lists > SLIDING_LISTS_MAX || r->n_subscriptions > SLIDING_SUBSCRIPTIONS_MAX ||
        r->n_parts > SLIDING_PARTS_MAX || strlen(r->conn_id) > SLIDING_ID_MAX || r->timeout_ms < 0 ||
        r->timeout_ms > SLIDING_TIMEOUT_MAX_MS)
        abort();
    for (size_t i = 0; i < r->n_lists; ++i) {
        const struct sliding_list *list = &r->lists[i];
        if (list->config.part >= r->n_parts || list->config.timeline_limit > SLIDING_TIMELINE_MAX)
            abort();
        for (size_t k = 0; k < list->n_ranges; ++k)
            if (list->ranges[k].first < 0 || list->ranges[k].last < list->ranges[k].first)
                abort();
    }
    for (size_t i = 0; i < r->n_subscriptions; ++i)
        if (r->subscriptions[i].config.part >= r->n_parts)
            abort();
}

static void check_parts(const struct sliding_request *r)
{
    for (size_t i = 0; i < r->n_parts; ++i) {
        const struct sliding_part *part = &r->parts[i];
        if (part->n > SLIDING_ELEMENTS_MAX || part->n_include > part->n)
            abort();
        bool any = sliding_part_wants(part, "m.room.member", "@me:b", "@me:b") ||
                   sliding_part_wants(part, "m.room.name", "", "@me:b");
        if (any && part->n_include == 0)
            abort();
    }
}

static void check_extensions(const struct sliding_request *r)
{
    for (int i = 0; i < SLIDING_EXTENSION__COUNT; ++i) {
        const struct sliding_extension *extension = &r->extensions[i];
        if (extension->lists == NULL && !sliding_extension_wants_list(extension, "l"))
            abort();
        if (extension->rooms == NULL && !sliding_extension_wants_room(extension, "!r:b"))
            abort();
    }
}

static void check(const json_t *body, enum sliding_form form)
{
    struct error e = {0};
    struct sliding_request request, again;
    if (sliding_request_parse(&request, form, body, &e)) {
        check_bounds(&request);
        check_parts(&request);
        check_extensions(&request);
        char *text = json_canonical(body);
        json_t *copy = json_parse(text, strlen(text), &e);
        if (copy == NULL || !sliding_request_parse(&again, form, copy, &e) ||
            again.lists_digest != request.lists_digest || again.n_parts != request.n_parts)
            abort();
        sliding_request_finish(&again);
        json_decref(copy);
        free(text);
    } else if (e.code != ERROR_BAD_JSON && e.code != ERROR_INVALID_PARAM) {
        abort();
    }
    sliding_request_finish(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct error e = {0};
    json_t *body = json_parse((const char *)bytes, len, &e);
    if (!json_is_object(body)) {
        json_decref(body);
        return 0;
    }
    check(body, SLIDING_UNSTABLE);
    check(body, SLIDING_STABLE);
    json_decref(body);
    return 0;
}
