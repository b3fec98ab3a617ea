/* The bridge's configuration: YAML, read by the server's own reader (homeserver/base/settings.h). docs/diary.md
 * describes each setting. Sections of adapters are theirs (adapter.h). */
#ifndef PARTA_DIARY_SETTINGS_H
#define PARTA_DIARY_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "appservice/diary/adapter.h"
#include "homeserver/base/log.h"
#include "homeserver/base/text.h"

/* What the bot says in its own rooms and in encrypted ones. */
enum diary_encryption {
    ENCRYPTION_ALLOW,   /* encrypted where the room is */
    ENCRYPTION_REQUIRE, /* the bot encrypts its own rooms, and says nothing there in clear */
    ENCRYPTION_OFF      /* nothing where the room is encrypted */
};

#define SCHOOLS_MAX 32
#define WINDOW_EDGE_DAYS 1 /* so long before it leaves the window, what is still owed is told */
#define DIARY_STOP_MS 1000 /* for requests that run when the bridge stops */

struct diary_settings {
    const char *data_dir;
    const char *listen_address;
    int listen_port;                /* 0: no listener */
    const char *metrics_token_file; /* NULL: none */
    bool metrics_open;              /* without a token, on this machine */
    enum log_level log_level;
    const char *school_url, *school_token_file, *school_ca_file; /* the school API */
    const char *schools[SCHOOLS_MAX];                            /* sourcedIds */
    size_t n_schools;
    int64_t roster_s;                /* between two readings of the roster */
    int back_days, forward_days;     /* the window */
    int64_t interval_s;              /* between two readings of a source */
    int64_t whole_s;                 /* between two whole ones, of a source that says what has changed */
    int64_t utc_offset_ms;           /* the school's clock minus UTC */
    int digest_hour, digest_weekday; /* of the school's clock; 1: Monday */
    int pupil_first_hours;           /* guardians are told of marks so much later; 0: together */
    int timetable_hour;              /* -1: never */
    int64_t pace_ms;
    bool tell_all;              /* also what a diary holds when it is read first */
    const char *rehearsal_file; /* NULL: none */
    const char *as_token_file;  /* of the application service; NULL: nobody is told in rooms */
    const char *bridge_url;     /* where the homeserver reaches the listener; NULL: it tells nothing */
    const char *bot;            /* its localpart */
    bool english;
    const char *diary_link; /* of notices without one of their own; NULL: none */
    const char *links;      /* hosts that notices may link to, with spaces between */

    enum diary_encryption encryption;

    char *school_words; /* of schools */
    char *state_path, *key_path, *lock_path, *crypto_key_path;

    struct source sources[ADAPTERS_MAX];
    size_t n_sources;
    struct setting_value *values; /* of all settings; texts above are of these */
    size_t n_values;
};

/* NULL: *problem says what is wrong, with the file and its line where it has one. Blocks (a small file). */
struct diary_settings *diary_settings_load(const char *path, struct text *problem);
struct diary_settings *diary_settings_parse(const char *name, const char *bytes, size_t len, struct text *problem);
void diary_settings_free(struct diary_settings *settings); /* NULL is accepted */

const char *diary_setting_name(size_t i); /* in order, for tests and docs: "diary.interval_s"; NULL past the last */

#endif
