#include "appservice/registration.h"

#include <cyaml/cyaml.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "appservice/pattern.h"
#include "homeserver/base/ids.h"
#include "policy/admin/operators.h"

#define NODES_MAX 4096
#define DEPTH_MAX 8
#define TOKEN_BYTES_MIN 16
#define TOKEN_BYTES_MAX 512

const char *const NAMESPACE_NAMES[NAMESPACE_KIND__COUNT] = {"users", "aliases", "rooms"};

/* --- What libcyaml fills in --- */

/* Flags are texts: libcyaml takes any word but a few for true. */
struct yaml_namespace {
    char *regex, *exclusive;
};

struct yaml_namespaces {
    struct yaml_namespace *users, *aliases, *rooms;
    unsigned n_users, n_aliases, n_rooms;
};

struct yaml_registration {
    char *id, *url, *as_token, *hs_token, *sender;
    struct yaml_namespaces namespaces;
    char **protocols, **schools;
    unsigned n_protocols, n_schools;
    char *rate_limited, *ephemeral, *ephemeral_older, *device_changes;
};

static const cyaml_schema_value_t NAME = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, CYAML_UNLIMITED)};

static const cyaml_schema_field_t NAMESPACE_FIELDS[] = {
    CYAML_FIELD_STRING_PTR("regex", CYAML_FLAG_POINTER, struct yaml_namespace, regex, 1, CYAML_UNLIMITED),
    CYAML_FIELD_STRING_PTR("exclusive", CYAML_FLAG_POINTER, struct yaml_namespace, exclusive, 1, CYAML_UNLIMITED),
    CYAML_FIELD_END};

static const cyaml_schema_value_t NAMESPACE = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_namespace, NAMESPACE_FIELDS)};

#define NAMESPACE_LIST(name)                                                                                           \
    CYAML_FIELD_SEQUENCE_COUNT(#name, CYAML_FLAG_POINTER_NULL_STR | CYAML_FLAG_OPTIONAL, struct yaml_namespaces, name, \
                               n_##name, &NAMESPACE, 0, REGISTRATION_NAMESPACES_MAX)
static const cyaml_schema_field_t NAMESPACES_FIELDS[] = {NAMESPACE_LIST(users), NAMESPACE_LIST(aliases),
                                                         NAMESPACE_LIST(rooms), CYAML_FIELD_END};

#define TEXT_FIELD(key, member)                                                                                        \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER, struct yaml_registration, member, 1, CYAML_UNLIMITED)
#define NAMES_FIELD(key, member)                                                                                       \
    CYAML_FIELD_SEQUENCE_COUNT(key, CYAML_FLAG_POINTER_NULL_STR | CYAML_FLAG_OPTIONAL, struct yaml_registration,       \
                               member, n_##member, &NAME, 0, REGISTRATION_NAMES_MAX)
#define FLAG_FIELD(key, member)                                                                                        \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER_NULL_STR | CYAML_FLAG_OPTIONAL, struct yaml_registration, member,   \
                           0, CYAML_UNLIMITED)
static const cyaml_schema_field_t FIELDS[] = {
    TEXT_FIELD("id", id),
    CYAML_FIELD_STRING_PTR("url", CYAML_FLAG_POINTER_NULL_STR | CYAML_FLAG_OPTIONAL, struct yaml_registration, url, 0,
                           CYAML_UNLIMITED),
    TEXT_FIELD("as_token", as_token),
    TEXT_FIELD("hs_token", hs_token),
    TEXT_FIELD("sender_localpart", sender),
    CYAML_FIELD_MAPPING("namespaces", CYAML_FLAG_DEFAULT, struct yaml_registration, namespaces, NAMESPACES_FIELDS),
    NAMES_FIELD("protocols", protocols),
    NAMES_FIELD("org.parta.schools", schools),
    FLAG_FIELD("rate_limited", rate_limited),
    FLAG_FIELD("receive_ephemeral", ephemeral),
    FLAG_FIELD("de.sorunome.msc2409.push_ephemeral", ephemeral_older),
    FLAG_FIELD("org.matrix.msc3202", device_changes),
    CYAML_FIELD_END};

static const cyaml_schema_value_t REGISTRATION = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct yaml_registration, FIELDS)};

/* --- Reading --- */

struct reading {
    const char *file;
    const struct registration_place *place;
    struct text *problem;
    yaml_document_t document;
    int nodes;
};

static bool complain(const struct reading *r, const char *what, const char *why)
{
    text_clear(r->problem);
    text_addf(r->problem, "%s: %s%s%s", r->file, what, *why != '\0' ? ": " : "", why);
    return false;
}

static bool complain_at(const struct reading *r, const yaml_node_t *node, const char *what)
{
    text_clear(r->problem);
    text_addf(r->problem, "%s:%zu: %s", r->file, node->start_mark.line + 1, what);
    return false;
}

static bool check_node(struct reading *r, const yaml_node_t *node, int depth);

static bool check_mapping(struct reading *r, const yaml_node_t *mapping, int depth)
{
    const yaml_node_pair_t *from = mapping->data.mapping.pairs.start, *to = mapping->data.mapping.pairs.top;
    if (to - from > 128)
        return complain_at(r, mapping, "too many members");
    for (const yaml_node_pair_t *pair = from; pair < to; ++pair) {
        const yaml_node_t *key = yaml_document_get_node(&r->document, pair->key);
        if (key->type != YAML_SCALAR_NODE)
            return complain_at(r, key, "a name must be plain text");
        for (const yaml_node_pair_t *other = from; other < pair; ++other) {
            const yaml_node_t *before = yaml_document_get_node(&r->document, other->key);
            if (strcmp((const char *)before->data.scalar.value, (const char *)key->data.scalar.value) == 0)
                return complain_at(r, key, "given twice");
        }
        if (!check_node(r, key, depth) || !check_node(r, yaml_document_get_node(&r->document, pair->value), depth))
            return false;
    }
    return true;
}

/* What libcyaml would take, or take apart without saying where: depth, names given twice, NUL, aliases (a node that is
 * met twice counts twice, so that they end at NODES_MAX). */
static bool check_node(struct reading *r, const yaml_node_t *node, int depth)
{
    if (++r->nodes > NODES_MAX || depth > DEPTH_MAX)
        return complain_at(r, node, "too much, or too deep");
    if (node->type == YAML_SCALAR_NODE)
        return strlen((const char *)node->data.scalar.value) == node->data.scalar.length ||
               complain_at(r, node, "a NUL character");
    if (node->type == YAML_MAPPING_NODE)
        return check_mapping(r, node, depth + 1);
    for (const yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top; ++i)
        if (!check_node(r, yaml_document_get_node(&r->document, *i), depth + 1))
            return false;
    return true;
}

static bool check_only(struct reading *r, yaml_parser_t *parser)
{
    yaml_document_t second;
    bool only = yaml_parser_load(parser, &second) == 1;
    if (only) {
        only = yaml_document_get_root_node(&second) == NULL;
        yaml_document_delete(&second);
    }
    return only || complain(r, "there is more behind it", "");
}

static bool check_shape(struct reading *r, const char *bytes, size_t len)
{
    yaml_parser_t parser;
    bool good = false;
    if (!yaml_parser_initialize(&parser))
        abort();
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, len);
    if (yaml_parser_load(&parser, &r->document)) {
        const yaml_node_t *root = yaml_document_get_root_node(&r->document);
        good = root != NULL && root->type == YAML_MAPPING_NODE ? check_node(r, root, 0) && check_only(r, &parser)
                                                               : complain(r, "it is no registration", "");
        yaml_document_delete(&r->document);
    } else {
        text_clear(r->problem);
        text_addf(r->problem, "%s:%zu: not YAML", r->file, parser.problem_mark.line + 1);
    }
    yaml_parser_delete(&parser);
    return good;
}

/* libcyaml names the member; what stands there may be a secret, and is not repeated. */
static void collect(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
    struct text *said = ctx;
    char line[256];
    if (level < CYAML_LOG_ERROR || said->len != 0)
        return;
    vsnprintf(line, sizeof line, fmt, args);
    text_add(said, line, strcspn(line, "\n"));
}

static bool load(struct reading *r, const char *bytes, size_t len, struct yaml_registration **out)
{
    struct text said = TEXT_INIT;
    cyaml_config_t how = {.log_fn = collect,
                          .log_ctx = &said,
                          .mem_fn = cyaml_mem,
                          .log_level = CYAML_LOG_ERROR,
                          .flags = CYAML_CFG_NO_ALIAS | CYAML_CFG_IGNORE_UNKNOWN_KEYS};
    cyaml_err_t err = cyaml_load_data((const uint8_t *)bytes, len, &how, &REGISTRATION, (cyaml_data_t **)out, NULL);
    bool missing = err == CYAML_ERR_MAPPING_FIELD_MISSING && said.data != NULL;
    if (err != CYAML_OK)
        complain(r, cyaml_strerror(err), missing ? said.data : "");
    text_finish(&said);
    return err == CYAML_OK && (*out != NULL || complain(r, "it is empty", ""));
}

/* --- What it means --- */

static bool check_token(const struct reading *r, const char *name, const char *token)
{
    size_t len = strlen(token);
    for (const char *c = token; *c != '\0'; ++c)
        if (*c <= ' ' || *c > '~')
            return complain(r, name, "has a character that no token has");
    if (strncmp(token, OPERATOR_TOKEN_PREFIX, sizeof OPERATOR_TOKEN_PREFIX - 1) == 0)
        return complain(r, name, "begins as operators' tokens do");
    return (len >= TOKEN_BYTES_MIN && len <= TOKEN_BYTES_MAX) || complain(r, name, "must have 16 to 512 characters");
}

static bool check_url(const struct reading *r, const char *url)
{
    size_t scheme = strncmp(url, "http://", 7) == 0 ? 7 : strncmp(url, "https://", 8) == 0 ? 8 : 0;
    bool good = scheme != 0 && url[scheme] != '\0' && url[scheme] != '/' && strlen(url) <= 1000;
    for (const char *c = url; *c != '\0'; ++c)
        good = good && *c > ' ' && *c <= '~' && *c != '?' && *c != '#' && *c != '@';
    return good || complain(r, "url", "must be an address, http:// or https://, without user, query and fragment");
}

static bool check_values(const struct reading *r, const struct yaml_registration *yaml)
{
    if (strlen(yaml->id) > REGISTRATION_ID_BYTES_MAX || !text_is_line(yaml->id) || strchr(yaml->id, '/') != NULL ||
        yaml->id[0] == '.' || !utf8_valid(yaml->id, strlen(yaml->id)))
        return complain(r, "id", "must be one line of at most 100 bytes, without a slash, not beginning with a dot");
    if (!check_token(r, "as_token", yaml->as_token) || !check_token(r, "hs_token", yaml->hs_token))
        return false;
    if (strcmp(yaml->as_token, yaml->hs_token) == 0)
        return complain(r, "hs_token", "must not be the as_token");
    if (!localpart_valid_for_new(yaml->sender, r->place->server_name))
        return complain(r, "sender_localpart", "must be a user name: a-z, 0-9 and ._=-/+");
    return yaml->url == NULL || *yaml->url == '\0' || check_url(r, yaml->url);
}

static bool flag(const struct reading *r, const char *member, const char *given, bool otherwise, bool *out)
{
    static const struct {
        const char *word;
        bool value;
    } WORDS[] = {{"true", true}, {"false", false}, {"yes", true}, {"no", false}, {"on", true}, {"off", false}};
    *out = otherwise;
    if (given == NULL || *given == '\0')
        return true;
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; ++i)
        if (strcasecmp(given, WORDS[i].word) == 0) {
            *out = WORDS[i].value;
            return true;
        }
    return complain(r, member, "must be true or false");
}

static bool take_namespaces(const struct reading *r, enum namespace_kind kind, const struct yaml_namespace *from,
                            size_t n, struct registration_file *out)
{
    out->namespaces[kind].all = xcalloc(n + 1, sizeof *out->namespaces[kind].all);
    for (size_t i = 0; i < n; ++i) {
        const char *why;
        struct namespace *ns = &out->namespaces[kind].all[out->namespaces[kind].n];
        ns->pattern = pattern_compile(from[i].regex, &why);
        if (ns->pattern == NULL) {
            struct text what = TEXT_INIT;
            text_addf(&what, "namespaces.%s: %.100s", NAMESPACE_NAMES[kind], from[i].regex);
            complain(r, what.data, why);
            text_finish(&what);
            return false;
        }
        ns->regex = xstrdup(from[i].regex);
        ++out->namespaces[kind].n;
        if (!flag(r, "exclusive", from[i].exclusive, false, &ns->exclusive))
            return false;
    }
    return true;
}

/* Names of people are drawn (accounts/new_account.h, localpart_draw): none is to be kept from them. */
static bool check_drawn(const struct reading *r, const struct registration_file *out)
{
    const char *why;
    bool good = true;
    if (!r->place->school_mode)
        return true;
    struct pattern *drawn = pattern_compile("^@p[a-z0-9]{10}:", &why);
    for (size_t i = 0; i < out->namespaces[NAMESPACE_USERS].n && good; ++i) {
        const struct namespace *ns = &out->namespaces[NAMESPACE_USERS].all[i];
        if (ns->exclusive && pattern_meets(ns->pattern, drawn))
            good = complain(r, "namespaces.users", "an exclusive one holds names that people get here");
    }
    pattern_destroy(drawn);
    return good;
}

static bool take_names(const struct reading *r, const char *member, char *const *from, size_t n, char ***out,
                       size_t *n_out)
{
    *out = xcalloc(n + 1, sizeof **out);
    for (size_t i = 0; i < n; ++i) {
        if (strlen(from[i]) > ID_BYTES_MAX || !text_is_line(from[i]) || !utf8_valid(from[i], strlen(from[i])))
            return complain(r, member, "an entry is too long, or no line of text");
        (*out)[(*n_out)++] = xstrdup(from[i]);
    }
    return true;
}

static bool take(const struct reading *r, const struct yaml_registration *yaml, struct registration_file *out)
{
    const struct yaml_namespaces *ns = &yaml->namespaces;
    if (!check_values(r, yaml))
        return false;
    struct text sender = TEXT_INIT;
    size_t url = yaml->url != NULL ? strlen(yaml->url) : 0;
    while (url > 0 && yaml->url[url - 1] == '/')
        --url;
    text_addf(&sender, "@%s:%s", yaml->sender, r->place->server_name);
    out->id = xstrdup(yaml->id);
    out->url = url != 0 ? xstrndup(yaml->url, url) : NULL;
    token_hash(yaml->as_token, out->as_token);
    out->hs_token = xstrdup(yaml->hs_token);
    out->sender = xstrdup(yaml->sender);
    out->sender_id = text_take(&sender);
    return flag(r, "rate_limited", yaml->rate_limited, true, &out->rate_limited) &&
           flag(r, "de.sorunome.msc2409.push_ephemeral", yaml->ephemeral_older, false, &out->ephemeral) &&
           flag(r, "receive_ephemeral", yaml->ephemeral, out->ephemeral, &out->ephemeral) &&
           flag(r, "org.matrix.msc3202", yaml->device_changes, false, &out->device_changes) &&
           take_namespaces(r, NAMESPACE_USERS, ns->users, ns->n_users, out) && check_drawn(r, out) &&
           take_namespaces(r, NAMESPACE_ALIASES, ns->aliases, ns->n_aliases, out) &&
           take_namespaces(r, NAMESPACE_ROOMS, ns->rooms, ns->n_rooms, out) &&
           take_names(r, "protocols", yaml->protocols, yaml->n_protocols, &out->protocols, &out->n_protocols) &&
           take_names(r, "org.parta.schools", yaml->schools, yaml->n_schools, &out->schools, &out->n_schools);
}

static void wipe(char *secret)
{
    if (secret != NULL)
        sodium_memzero(secret, strlen(secret));
}

struct registration_file *registration_parse(const char *file, const char *bytes, size_t len,
                                             const struct registration_place *place, struct text *problem)
{
    struct reading r = {.file = file, .place = place, .problem = problem};
    struct yaml_registration *yaml = NULL;
    struct registration_file *out = NULL;
    if (len > REGISTRATION_BYTES_MAX) {
        complain(&r, "longer than 64 KiB", "");
        return NULL;
    }
    if (!check_shape(&r, bytes, len) || !load(&r, bytes, len, &yaml))
        return NULL;
    out = xcalloc(1, sizeof *out);
    sha256(bytes, len, out->digest);
    if (!take(&r, yaml, out)) {
        registration_free(out);
        out = NULL;
    }
    wipe(yaml->as_token);
    wipe(yaml->hs_token);
    cyaml_free(&(cyaml_config_t){.mem_fn = cyaml_mem}, &REGISTRATION, yaml, 0);
    return out;
}

static void names_free(char **names, size_t n)
{
    for (size_t i = 0; i < n; ++i)
        free(names[i]);
    free(names);
}

void registration_free(struct registration_file *registration)
{
    if (registration == NULL)
        return;
    for (int kind = 0; kind < NAMESPACE_KIND__COUNT; ++kind) {
        for (size_t i = 0; i < registration->namespaces[kind].n; ++i) {
            pattern_destroy(registration->namespaces[kind].all[i].pattern);
            free(registration->namespaces[kind].all[i].regex);
        }
        free(registration->namespaces[kind].all);
    }
    names_free(registration->protocols, registration->n_protocols);
    names_free(registration->schools, registration->n_schools);
    wipe(registration->hs_token);
    free(registration->hs_token);
    free(registration->id);
    free(registration->url);
    free(registration->sender);
    free(registration->sender_id);
    free(registration);
}

bool registration_has(const struct registration_file *registration, enum namespace_kind kind, const char *name,
                      bool exclusive)
{
    if (kind == NAMESPACE_USERS && strcmp(name, registration->sender_id) == 0)
        return true;
    for (size_t i = 0; i < registration->namespaces[kind].n; ++i) {
        const struct namespace *ns = &registration->namespaces[kind].all[i];
        if ((ns->exclusive || !exclusive) && pattern_matches(ns->pattern, name))
            return true;
    }
    return false;
}

static bool say_clash(struct text *problem, const struct registration_file *a, const struct registration_file *b,
                      const char *what)
{
    text_clear(problem);
    text_addf(problem, "application services \"%s\" and \"%s\" %s", a->id, b->id, what);
    return true;
}

bool registration_clash(const struct registration_file *a, const struct registration_file *b, struct text *problem)
{
    if (strcmp(a->id, b->id) == 0)
        return say_clash(problem, a, b, "have one id");
    if (bytes_equal(a->as_token, b->as_token, sizeof a->as_token))
        return say_clash(problem, a, b, "have one as_token");
    if (registration_has(a, NAMESPACE_USERS, b->sender_id, true) ||
        registration_has(b, NAMESPACE_USERS, a->sender_id, true))
        return say_clash(problem, a, b, "clash: the user of one lies in an exclusive namespace of the other");
    for (int kind = 0; kind < NAMESPACE_KIND__COUNT; ++kind)
        for (size_t i = 0; i < a->namespaces[kind].n; ++i)
            for (size_t k = 0; k < b->namespaces[kind].n; ++k) {
                const struct namespace *one = &a->namespaces[kind].all[i], *other = &b->namespaces[kind].all[k];
                if ((!one->exclusive && !other->exclusive) || !pattern_meets(one->pattern, other->pattern))
                    continue;
                say_clash(problem, a, b, "clash: ");
                text_addf(problem, "%s and %s have names in common, and one of them is exclusive", one->regex,
                          other->regex);
                return true;
            }
    return false;
}
