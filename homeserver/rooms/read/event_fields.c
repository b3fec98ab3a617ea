#include "homeserver/rooms/read/event_fields.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json_path.h"
#include "homeserver/base/json_scan.h"

/* The names that a path goes through, as canonical JSON writes them without their quotes, each with a NUL behind. In
 * order by bytes, paths that begin alike stand together, and one that ends there is the first of them. */
struct event_fields {
    size_t n;
    struct text paths[];
};

/* The paths that begin as the walk came to where it is. */
struct range {
    const struct text *paths;
    size_t n, depth; /* depth: bytes of each that are behind */
};

static void add_names(struct text *out, const struct text *names)
{
    struct text quoted = TEXT_INIT;
    for (size_t at = 0; at < names->len; at += strlen(names->data + at) + 1) {
        text_clear(&quoted);
        text_add_json(&quoted, names->data + at);
        text_add(out, quoted.data + 1, quoted.len - 2);
        text_addc(out, '\0');
    }
    text_finish(&quoted);
}

static int by_bytes(const void *a, const void *b)
{
    const struct text *x = a, *y = b;
    int order = memcmp(x->data, y->data, x->len < y->len ? x->len : y->len);
    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

struct event_fields *event_fields_create(char *const *paths, size_t n)
{
    struct event_fields *fields = xcalloc(1, sizeof *fields + n * sizeof *fields->paths);
    struct text names = TEXT_INIT;
    for (fields->n = 0; fields->n < n; ++fields->n) {
        text_clear(&names);
        json_path_split(&names, paths[fields->n]);
        add_names(&fields->paths[fields->n], &names);
    }
    text_finish(&names);
    qsort(fields->paths, n, sizeof *fields->paths, by_bytes);
    return fields;
}

void event_fields_destroy(struct event_fields *fields)
{
    for (size_t i = 0; fields != NULL && i < fields->n; ++i)
        text_finish(&fields->paths[i]);
    free(fields);
}

/* The next name of the i-th path against the key. */
static int compare(const struct range *range, size_t i, const struct json_scan_value *key)
{
    const char *name = range->paths[i].data + range->depth;
    int order = strncmp(name, key->s, key->len);
    return order != 0 ? order : name[key->len] != '\0';
}

/* The first of [low, high) that is not before the key. */
static size_t search(const struct range *range, size_t low, size_t high, const struct json_scan_value *key)
{
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(range, middle, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The same of all, beginning where the key before it was found, from which it is mostly not far. */
static size_t search_near(const struct range *range, size_t near, const struct json_scan_value *key)
{
    size_t step = 1;
    if (near < range->n && compare(range, near, key) < 0) {
        while (step < range->n - near && compare(range, near + step, key) < 0)
            step *= 2;
        return search(range, near + step / 2, step < range->n - near ? near + step : range->n, key);
    }
    while (step <= near && compare(range, near - step, key) >= 0)
        step *= 2;
    return search(range, step <= near ? near - step : 0, near - step / 2, key);
}

/* Those of the range from `first` on whose next name is the key. n 0: there are none. */
static struct range below(const struct range *range, size_t first, const struct json_scan_value *key)
{
    struct range found = {range->paths + first, 0, range->depth + key->len + 1};
    size_t low = first, high = range->n;
    if (first == range->n || compare(range, first, key) != 0)
        return found;
    while (low < high) { /* the first that is behind the key */
        size_t middle = low + (high - low) / 2;
        if (compare(range, middle, key) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    found.n = low - first;
    return found;
}

static void add_key(struct text *out, const struct json_scan_value *key)
{
    if (out->data[out->len - 1] != '{')
        text_addc(out, ',');
    text_add(out, key->s - 1, key->len + 2);
    text_addc(out, ':');
}

static void back_to(struct text *out, size_t len)
{
    out->len = len;
    out->data[len] = '\0';
}

/* The rest of the object that was gone into. false: nothing of it is wanted, and nothing was appended. Deeper than a
 * path or the event it does not go. */
static bool pick(struct json_scan *in, const struct range *range, struct text *out)
{
    size_t before = out->len, near = 0;
    struct json_scan_value key, value;
    text_addc(out, '{');
    while (json_scan_key(in, &key)) {
        size_t member = out->len;
        near = search_near(range, near, &key);
        struct range wanted = below(range, near, &key);
        bool whole = wanted.n != 0 && wanted.paths[0].len == wanted.depth;
        if (wanted.n != 0 && !whole && json_scan_go_in(in)) {
            add_key(out, &key);
            if (!pick(in, &wanted, out))
                back_to(out, member);
            json_scan_go_on(in);
        } else if (!json_scan_item(in, &value)) {
            break;
        } else if (whole) {
            size_t quote = value.kind == '"';
            add_key(out, &key);
            text_add(out, value.s - quote, value.len + 2 * quote);
        }
    }
    if (out->len == before + 1) {
        back_to(out, before);
        return false;
    }
    text_addc(out, '}');
    return true;
}

void event_fields_pick(const struct event_fields *fields, const char *event, size_t len, struct text *out)
{
    struct json_scan in = {event, event + len};
    struct range all = {fields->paths, fields->n, 0};
    text_reserve(out, 2);
    if (!json_scan_go_in(&in) || !pick(&in, &all, out))
        text_adds(out, "{}");
}
