/* How a diary is asked: the one interface that each kind of diary has behind it. docs/diary-adapters.md shows how to
 * write one.
 *
 * An adapter is a row of the table in adapters.c: its name, which is its section of the configuration and the name of
 * the source; its settings; and fetch, which asks for a window of days and adds records to a reading. It keeps nothing
 * between two fetches but what it puts into source->memory, writes nothing, and knows nothing of rooms, people or the
 * roster. What it may use of the network is fetch_get with a client of fetch_client (fetch.h): it is polite for it. */
#ifndef PARTA_DIARY_ADAPTER_H
#define PARTA_DIARY_ADAPTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "appservice/diary/reading.h"
#include "homeserver/base/settings.h"
#include "homeserver/base/text.h"

struct outgoing;
struct source;

#define ADAPTER_SETTINGS_MAX 16
#define ADAPTERS_MAX 16
#define SOURCE_CURSOR_BYTES 64

enum adapter_setting_kind {
    ADAPTER_TEXT,
    ADAPTER_URL,         /* http:// or https://, no slash at the end */
    ADAPTER_SECRET_FILE, /* a path; what is in it, adapter_secret reads */
    ADAPTER_LIST,
    ADAPTER_INT,
    ADAPTER_FLAG,
};

struct adapter_setting {
    const char *name; /* behind the section's: "url" */
    enum adapter_setting_kind kind;
    const char *otherwise; /* NULL: it must be given once the section is there */
    int64_t low, high;     /* ADAPTER_INT */
};
#define OPTIONAL ""

/* A diary that says what has changed since a moment need not be read whole each time. Whatever its adapter has left in
 * source->next_cursor comes back in source->cursor once all that was read is told, also after a restart; then fetch may
 * add what has changed since, and set the reading's extent to READING_CHANGES. The cursor is empty when the window is
 * to be read whole: first, after anything odd, from time to time, and when the window has moved. */
struct adapter {
    const char *name;
    const struct adapter_setting *settings; /* the first: without it there is no such source */
    size_t n_settings;
    /* Adds what the diary has in the window. true: that is all of it (or of its changes); false: *problem is one
     * sentence without anybody's data, and what was added counts for nothing. Blocks; returns soon once *source->stop
     * is true. NULL: the diary comes by itself (webhook.h). */
    bool (*fetch)(struct source *source, struct reading *reading, struct text *problem);
    bool sourced; /* its ids are sourcedIds unless the setting "ids" says otherwise */
};

/* A diary of the configuration. */
struct source {
    const struct adapter *adapter;
    struct setting_value *values; /* of its settings, in their order; borrowed */
    struct outgoing *outgoing;
    struct fetch_memory *memory; /* fetch.h */
    const _Atomic bool *stop;
    int64_t pace_ms;       /* between two requests to one host */
    int64_t not_before_ms; /* clock_mono_ms: the diary has asked for peace until then */
    int64_t now_ms;        /* the wall clock when this fetch began */
    char cursor[SOURCE_CURSOR_BYTES], next_cursor[SOURCE_CURSOR_BYTES]; /* above; "": none */
    int64_t until_ms; /* clock_mono_ms: a fetch that takes longer fails; 0: as long as it takes */
    /* Called by fetch_get before each request, so that a slow diary holds nobody else up; NULL: nobody waits. */
    void (*meanwhile)(void *self);
    void *self;
    int64_t asked; /* for whole readings, so often, when this one was begun (the bridge's) */
};

extern const struct adapter *const ADAPTERS[];
extern const size_t N_ADAPTERS;

/* Values by name; the name must be one of the adapter's. Texts are never NULL. */
const char *adapter_text(const struct source *source, const char *name);
int64_t adapter_int(const struct source *source, const char *name);
bool adapter_flag(const struct source *source, const char *name);
char *const *adapter_list(const struct source *source, const char *name, size_t *n);
char *adapter_secret(const struct source *source, const char *name,
                     struct text *problem); /* secret_free; NULL: problem */

bool adapter_sourced(const struct source *source); /* whether its ids are the roster's sourcedIds */

/* Whether what the configuration says of the source can be. false: *problem is a sentence. */
bool adapter_check(const struct source *source, struct text *problem);

#endif
