/* What an event says that it relates to, and whether it says anything: the first line is the event's type, with a state
 * key behind a space, the second the content, the third that of the event that it relates to. Two readers of a relation
 * agree, and an event that is taken for a frame or wordless stays so when its ids are not only looked at. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/json.h"
#include "homeserver/base/log.h"
#include "homeserver/rooms/threads.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/schema.h"
#include "policy/rules/event_types.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static struct db *db;

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* The database has no events: whatever is related to is looked for and not found. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    log_set_level(LOG_ERROR);
    db = crypto_start() ? db_open(":memory:", DB_WRITE, NULL) : NULL;
    must(db != NULL && schema_migrate(db));
    return 0;
}

static void check_relation(const char *content, const json_t *tree)
{
    char root[ID_BYTES_MAX + 1] = "", target[ID_BYTES_MAX + 1] = "";
    const json_t *relates = json_get_object(tree, "m.relates_to");
    const char *type = json_get_string(relates, "rel_type"), *id = json_get_string(relates, "event_id");
    bool there = type != NULL && id != NULL && strlen(id) <= ID_BYTES_MAX;
    must(thread_target(content, target) == there && (!there || strcmp(target, id) == 0));
    bool threaded = thread_root(db, content, root);
    must(threaded == (there && strcmp(type, "m.thread") == 0) && (!threaded || strcmp(root, id) == 0));
    must(thread_needs_look(content) == (there && !threaded));
}

static bool nothing_there(void *ctx, enum event_named what, const char *of, const char *id)
{
    ++*(int *)ctx;
    must(id != NULL);
    return false;
}

static bool all_there(void *ctx, enum event_named what, const char *of, const char *id)
{
    return !nothing_there(ctx, what, of, id);
}

static void check_words(const char *type, const char *state_key, const json_t *content)
{
    int asked = 0;
    const struct event_names none = {nothing_there, &asked}, all = {all_there, &asked};
    bool looked_at = event_is_wordless(type, state_key, content, NULL);
    bool wordless = event_is_wordless(type, state_key, content, &none);
    must(!wordless || event_is_wordless(type, state_key, content, &all));
    must(!event_is_wordless(type, state_key, content, &all) || looked_at);
    must(!event_is_frame(type, state_key, content, &none) || event_is_frame(type, state_key, content, &all));
    must(urgent_reason(content) == NULL || event_is_urgent(type, content) || event_kind_of(type) != EVENT_MESSAGE);
}

/* What outlives a redaction: cleaned of what says something it is taken, and there is no more of it than before. */
static void check_lasting(const char *type, const char *state_key, const json_t *content)
{
    int asked = 0;
    const struct event_names none = {nothing_there, &asked}, all = {all_there, &asked};
    json_t *left = json_deep_copy(content);
    must(!event_lasting_is_wordless(type, state_key, content, &none) ||
         event_lasting_is_wordless(type, state_key, content, &all));
    event_lasting_clean(type, left, &none);
    must(json_object_size(left) <= json_object_size(content));
    must(event_lasting_is_wordless(type, NULL, left, &none) == event_lasting_is_wordless(type, NULL, NULL, &none));
    json_decref(left);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct error e = {0};
    char *type = xstrndup((const char *)bytes, len), *text = strchr(type, '\n');
    if (text != NULL)
        *text++ = '\0';
    char *state_key = strchr(type, ' ');
    if (state_key != NULL)
        *state_key++ = '\0';
    json_t *tree = text != NULL ? json_parse(text, strlen(text), &e) : NULL;
    if (json_is_object(tree)) {
        char *content = json_canonical(tree); /* as the store has it */
        check_relation(content, tree);
        check_words(type, state_key, tree);
        check_lasting(type, state_key, tree);
        free(content);
    }
    json_decref(tree);
    free(type);
    return 0;
}
