#include "homeserver/base/settings.h"

#include <cyaml/cyaml.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define SECTIONS_MAX 32
#define SETTINGS_MAX 128
#define LINE_NONE 0

/* Everything is read as a slot: a string, a list of strings, or the slots of a section. */
struct slot {
    void *value;
    uint64_t count;
};

/* libcyaml's schema, made from the caller's names. The slots of the top come first, a section's
 * slots hang on its one. */
struct plan {
    const struct setting_name *names;
    size_t n;
    cyaml_schema_field_t top[SETTINGS_MAX + SECTIONS_MAX + 1];
    uint32_t n_top;
    struct section {
        char *name;
        cyaml_schema_field_t fields[SETTINGS_MAX + 1];
        uint32_t n_fields, top_slot;
    } * sections;
    uint32_t n_sections;
    struct place {
        const struct section *section; /* NULL: at the top */
        uint32_t slot;
    } places[SETTINGS_MAX]; /* where each name is read to */
    cyaml_schema_value_t root;
};

static const cyaml_schema_value_t ITEM = {
    .type = CYAML_STRING,
    .flags = CYAML_FLAG_POINTER,
    .data_size = sizeof(char),
    .string = {.min = 0, .max = CYAML_UNLIMITED},
};

static cyaml_schema_field_t value_field(const char *key, uint32_t slot, bool list)
{
    cyaml_schema_field_t field = {.key = key,
                                  .data_offset = slot * (uint32_t)sizeof(struct slot),
                                  .count_offset = slot * (uint32_t)sizeof(struct slot) + offsetof(struct slot, count),
                                  .count_size = sizeof(uint64_t),
                                  .value = ITEM};
    field.value.flags = CYAML_FLAG_POINTER_NULL_STR | CYAML_FLAG_OPTIONAL;
    if (!list)
        return field;
    field.value.type = CYAML_SEQUENCE;
    field.value.data_size = sizeof(char *);
    field.value.sequence.entry = &ITEM;
    field.value.sequence.min = 0;
    field.value.sequence.max = SETTINGS_ITEMS_MAX;
    return field;
}

static struct section *section_of(struct plan *plan, const char *name, size_t len)
{
    for (uint32_t s = 0; s < plan->n_sections; ++s)
        if (strlen(plan->sections[s].name) == len && memcmp(plan->sections[s].name, name, len) == 0)
            return &plan->sections[s];
    if (plan->n_sections == SECTIONS_MAX)
        abort();
    struct section *section = &plan->sections[plan->n_sections++];
    section->name = xstrndup(name, len);
    section->top_slot = plan->n_top++;
    return section;
}

static void plan_section_fields(struct plan *plan)
{
    for (uint32_t s = 0; s < plan->n_sections; ++s) {
        struct section *section = &plan->sections[s];
        plan->top[section->top_slot] = value_field(section->name, section->top_slot, false);
        plan->top[section->top_slot].value.type = CYAML_MAPPING;
        plan->top[section->top_slot].value.data_size = section->n_fields * (uint32_t)sizeof(struct slot);
        plan->top[section->top_slot].value.mapping.fields = section->fields;
    }
}

static struct plan *plan_create(const struct setting_name *names, size_t n)
{
    if (n > SETTINGS_MAX)
        abort();
    struct plan *plan = xcalloc(1, sizeof *plan);
    plan->names = names;
    plan->n = n;
    plan->sections = xcalloc(SECTIONS_MAX, sizeof *plan->sections);
    for (size_t i = 0; i < n; ++i) {
        const char *dot = strchr(names[i].name, '.');
        if (dot == NULL) {
            plan->places[i].slot = plan->n_top;
            plan->top[plan->n_top] = value_field(names[i].name, plan->n_top, names[i].list);
            ++plan->n_top;
            continue;
        }
        struct section *section = section_of(plan, names[i].name, (size_t)(dot - names[i].name));
        plan->places[i] = (struct place){section, section->n_fields};
        section->fields[section->n_fields] = value_field(dot + 1, section->n_fields, names[i].list);
        ++section->n_fields;
    }
    plan_section_fields(plan);
    plan->root.type = CYAML_MAPPING;
    plan->root.flags = CYAML_FLAG_POINTER;
    plan->root.data_size = plan->n_top * (uint32_t)sizeof(struct slot);
    plan->root.mapping.fields = plan->top;
    return plan;
}

static void plan_destroy(struct plan *plan)
{
    for (uint32_t s = 0; s < plan->n_sections; ++s)
        free(plan->sections[s].name);
    free(plan->sections);
    free(plan);
}

static bool complain(struct text *problem, const char *file, size_t line, const char *name, const char *what)
{
    text_clear(problem);
    text_adds(problem, file);
    if (line != LINE_NONE)
        text_addf(problem, ":%zu", line);
    text_addf(problem, ": %s%s%s", name != NULL ? name : "", name != NULL ? ": " : "", what);
    return false;
}

/* The first reading, with libyaml: libcyaml forgets where a key stood that it does not know, so names and lines are
 * checked here, on the tree of nodes. */
struct shape {
    const char *file;
    const struct plan *plan;
    yaml_document_t document;
    struct setting_value *values;
    struct text *problem;
};

static size_t line_of(const yaml_node_t *node)
{
    return node->start_mark.line + 1;
}

/* The number of the setting called section.key; −1: there is none. */
static int setting_at(const struct plan *plan, const char *section, const char *key)
{
    size_t len = section != NULL ? strlen(section) : 0;
    if (strchr(key, '.') != NULL)
        return -1; /* "http.body_max_bytes" in one word */
    for (size_t i = 0; i < plan->n; ++i) {
        const char *name = plan->names[i].name;
        if (section == NULL ? strcmp(name, key) == 0
                            : strncmp(name, section, len) == 0 && name[len] == '.' && strcmp(name + len + 1, key) == 0)
            return (int)i;
    }
    return -1;
}

static bool is_section(const struct plan *plan, const char *name)
{
    for (uint32_t s = 0; s < plan->n_sections; ++s)
        if (strcmp(plan->sections[s].name, name) == 0)
            return true;
    return false;
}

/* What YAML writes by an escape alone: NUL, which would end the text early, and what a printed file could not hold
 * (YAML 1.1, c-printable, without the mark of byte order). The bytes are UTF-8, libyaml has seen to it. */
static bool holds_control(const yaml_node_t *node)
{
    static const char *const UNPRINTABLE[] = {"\xef\xbb\xbf", "\xef\xbf\xbe", "\xef\xbf\xbf"};
    if (node->type != YAML_SCALAR_NODE)
        return false;
    const unsigned char *s = node->data.scalar.value, *end = s + node->data.scalar.length;
    for (; s < end; ++s)
        if ((*s < ' ' && strchr("\t\n\r", *s) == NULL) || *s == 0 || *s == 127 ||
            (s[0] == 0xc2 && s[1] < 0xa0 && s[1] != 0x85))
            return true;
    for (size_t i = 0; i < sizeof UNPRINTABLE / sizeof *UNPRINTABLE; ++i)
        if (strstr((const char *)node->data.scalar.value, UNPRINTABLE[i]) != NULL)
            return true;
    return false;
}

static bool check_mapping(struct shape *shape, const yaml_node_t *mapping, const char *section);

static bool check_list(struct shape *shape, const yaml_node_t *list, const char *name)
{
    const yaml_node_item_t *item = list->data.sequence.items.start;
    for (; item < list->data.sequence.items.top; ++item) {
        const yaml_node_t *node = yaml_document_get_node(&shape->document, *item);
        if (node->type != YAML_SCALAR_NODE || holds_control(node))
            return complain(shape->problem, shape->file, line_of(node), name, "an entry is not a plain value");
    }
    return true;
}

static bool check_setting(struct shape *shape, const yaml_node_t *value, int i)
{
    const struct setting_name *name = &shape->plan->names[i];
    size_t line = line_of(value);
    if (shape->values[i].line != LINE_NONE)
        return complain(shape->problem, shape->file, line, name->name, "given twice");
    shape->values[i].line = (int)line;
    if (holds_control(value))
        return complain(shape->problem, shape->file, line, name->name, "a control character");
    if (value->type == YAML_SCALAR_NODE) {
        static const char *const NOTHING[] = {"", "null", "Null", "NULL", "~"}; /* as libcyaml sees it */
        for (size_t k = 0; k < sizeof NOTHING / sizeof *NOTHING; ++k)
            if (strcmp((const char *)value->data.scalar.value, NOTHING[k]) == 0)
                return true;
    }
    if (name->list)
        return value->type == YAML_SEQUENCE_NODE
                   ? check_list(shape, value, name->name)
                   : complain(shape->problem, shape->file, line, name->name, "must be a list, like [one, two]");
    return value->type == YAML_SCALAR_NODE ||
           complain(shape->problem, shape->file, line, name->name, "must be one value, not a list or a section");
}

static bool check_pair(struct shape *shape, const yaml_node_t *key, const yaml_node_t *value, const char *section)
{
    if (key->type != YAML_SCALAR_NODE || holds_control(key))
        return complain(shape->problem, shape->file, line_of(key), section, "a name must be plain text");
    const char *name = (const char *)key->data.scalar.value;
    int i = setting_at(shape->plan, section, name);
    if (i >= 0)
        return check_setting(shape, value, i);
    if (section != NULL || !is_section(shape->plan, name)) {
        struct text full = TEXT_INIT;
        text_addf(&full, "%s%s%.60s", section != NULL ? section : "", section != NULL ? "." : "", name);
        complain(shape->problem, shape->file, line_of(key), full.data, "there is no such setting");
        text_finish(&full);
        return false;
    }
    if (value->type == YAML_SCALAR_NODE && value->data.scalar.length == 0)
        return true; /* a section whose settings are all commented out */
    if (value->type != YAML_MAPPING_NODE)
        return complain(shape->problem, shape->file, line_of(value), name, "must be a section (indented settings)");
    return check_mapping(shape, value, name);
}

static bool check_mapping(struct shape *shape, const yaml_node_t *mapping, const char *section)
{
    const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
    for (; pair < mapping->data.mapping.pairs.top; ++pair)
        if (!check_pair(shape, yaml_document_get_node(&shape->document, pair->key),
                        yaml_document_get_node(&shape->document, pair->value), section))
            return false;
    return true;
}

static bool check_only_document(struct shape *shape, yaml_parser_t *parser)
{
    yaml_document_t second;
    if (!yaml_parser_load(parser, &second))
        return complain(shape->problem, shape->file, parser->problem_mark.line + 1, NULL, "not YAML");
    const yaml_node_t *root = yaml_document_get_root_node(&second);
    bool only = root == NULL || complain(shape->problem, shape->file, line_of(root), NULL, "a second document");
    yaml_document_delete(&second);
    return only;
}

static bool check_shape(struct shape *shape, const char *bytes, size_t len, bool *empty)
{
    yaml_parser_t parser;
    bool done = false;
    if (!yaml_parser_initialize(&parser))
        abort();
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, len);
    if (yaml_parser_load(&parser, &shape->document)) {
        const yaml_node_t *root = yaml_document_get_root_node(&shape->document);
        *empty = root == NULL;
        if (root != NULL && root->type != YAML_MAPPING_NODE)
            complain(shape->problem, shape->file, line_of(root), NULL, "must be settings (name: value)");
        else
            done = *empty || (check_mapping(shape, root, NULL) && check_only_document(shape, &parser));
        yaml_document_delete(&shape->document);
    } else {
        complain(shape->problem, shape->file, parser.problem_mark.line + 1, NULL,
                 parser.problem != NULL ? parser.problem : "not YAML");
    }
    yaml_parser_delete(&parser);
    return done;
}

/* libcyaml's messages: the first names the fault, the backtrace behind it the line. */
static void collect(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
    struct text *said = ctx;
    char line[256];
    if (level < CYAML_LOG_ERROR || said->len > 4096)
        return;
    vsnprintf(line, sizeof line, fmt, args);
    text_adds(said, line);
}

static bool refuse_said(const char *file, const struct text *said, cyaml_err_t err, struct text *problem)
{
    char what[200];
    const char *at = said->data != NULL ? strstr(said->data, "(line: ") : NULL;
    size_t line = at != NULL ? strtoul(at + 7, NULL, 10) : LINE_NONE;
    const char *first = said->data != NULL && strncmp(said->data, "Load: ", 6) == 0 ? said->data + 6 : "";
    snprintf(what, sizeof what, "%s (%.*s)", cyaml_strerror(err), (int)strcspn(first, "\n"), first);
    return complain(problem, file, line, NULL, what);
}

static void take_slot(const struct slot *slot, bool list, struct setting_value *value)
{
    if (slot->value == NULL)
        return;
    if (!list) {
        value->text = xstrdup(slot->value);
        return;
    }
    value->n_items = slot->count;
    value->items = xcalloc(slot->count, sizeof *value->items);
    for (size_t i = 0; i < slot->count; ++i)
        value->items[i] = xstrdup(((char **)slot->value)[i]);
}

static void take_values(const struct plan *plan, const struct slot *top, struct setting_value *values)
{
    for (size_t i = 0; i < plan->n; ++i) {
        const struct place *place = &plan->places[i];
        const struct slot *slots = place->section != NULL ? top[place->section->top_slot].value : top;
        if (slots != NULL)
            take_slot(&slots[place->slot], plan->names[i].list, &values[i]);
    }
}

static bool load(const char *file, const char *bytes, size_t len, struct plan *plan, struct setting_value *values,
                 struct text *problem)
{
    struct text said = TEXT_INIT;
    cyaml_config_t how = {.log_fn = collect,
                          .log_ctx = &said,
                          .mem_fn = cyaml_mem,
                          .log_level = CYAML_LOG_ERROR,
                          .flags = CYAML_CFG_NO_ALIAS};
    struct slot *top = NULL;
    cyaml_err_t err = cyaml_load_data((const uint8_t *)bytes, len, &how, &plan->root, (cyaml_data_t **)&top, NULL);
    if (err != CYAML_OK)
        refuse_said(file, &said, err, problem);
    else if (top != NULL)
        take_values(plan, top, values);
    if (err == CYAML_OK)
        cyaml_free(&how, &plan->root, top, 0);
    text_finish(&said);
    return err == CYAML_OK;
}

bool settings_read(const char *file, const char *bytes, size_t len, const struct setting_name *names, size_t n,
                   struct setting_value *values, struct text *problem)
{
    memset(values, 0, n * sizeof *values);
    if (len > SETTINGS_BYTES_MAX)
        return complain(problem, file, LINE_NONE, NULL, "longer than 256 KiB");
    struct plan *plan = plan_create(names, n);
    struct shape shape = {.file = file, .plan = plan, .values = values, .problem = problem};
    bool empty = false;
    bool done = check_shape(&shape, bytes, len, &empty) && (empty || load(file, bytes, len, plan, values, problem));
    plan_destroy(plan);
    return done;
}

void settings_finish(struct setting_value *values, size_t n)
{
    for (size_t i = 0; i < n; ++i) {
        free(values[i].text);
        for (size_t k = 0; k < values[i].n_items; ++k)
            free(values[i].items[k]);
        free(values[i].items);
        values[i] = (struct setting_value){0};
    }
}
