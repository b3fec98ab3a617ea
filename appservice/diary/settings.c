#include "appservice/diary/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/settings.h"
#include "homeserver/base/shape.h"

enum core {
    DATA_DIR,
    LISTEN_ADDRESS,
    LISTEN_PORT,
    LISTEN_METRICS_TOKEN_FILE,
    LISTEN_METRICS_OPEN,
    LOG_LEVEL,
    SCHOOL_URL,
    SCHOOL_ID,
    SCHOOL_TOKEN_FILE,
    SCHOOL_CA_FILE,
    SCHOOL_ROSTER_S,
    SCHOOL_UTC_OFFSET,
    DIARY_BACK_DAYS,
    DIARY_FORWARD_DAYS,
    DIARY_INTERVAL_S,
    DIARY_WHOLE_S,
    DIARY_PACE_MS,
    DIARY_FIRST,
    DIARY_REHEARSAL_FILE,
    DIARY_DIGEST_HOUR,
    DIARY_DIGEST_WEEKDAY,
    DIARY_TIMETABLE_HOUR,
    DIARY_PUPIL_FIRST_HOURS,
    MATRIX_AS_TOKEN_FILE,
    MATRIX_BRIDGE_URL,
    MATRIX_BOT,
    MATRIX_LANGUAGE,
    MATRIX_LINKS,
    MATRIX_DIARY_LINK,
    MATRIX_ENCRYPTION,
    CORE__COUNT
};

/* Numbers have a range; the others none. otherwise NULL: it must be given. */
static const struct {
    const char *name, *otherwise;
    bool number;
    int64_t low, high;
} CORE[CORE__COUNT] = {
    [DATA_DIR] = {"data_dir", "/var/lib/parta-diary"},
    [LISTEN_ADDRESS] = {"listen.address", "127.0.0.1"},
    [LISTEN_PORT] = {"listen.port", "0", true, 0, 65535},
    [LISTEN_METRICS_TOKEN_FILE] = {"listen.metrics_token_file", ""},
    [LISTEN_METRICS_OPEN] = {"listen.metrics_open", "false"},
    [LOG_LEVEL] = {"log.level", "info"},
    [SCHOOL_URL] = {"school.url", NULL},
    [SCHOOL_ID] = {"school.id", NULL},
    [SCHOOL_TOKEN_FILE] = {"school.token_file", NULL},
    [SCHOOL_CA_FILE] = {"school.ca_file", ""},
    [SCHOOL_ROSTER_S] = {"school.roster_s", "3600", true, 1, 86400},
    [SCHOOL_UTC_OFFSET] = {"school.utc_offset", "+03:00"},
    [DIARY_BACK_DAYS] = {"diary.back_days", "14", true, 0, 60},
    [DIARY_FORWARD_DAYS] = {"diary.forward_days", "14", true, 0, 60},
    [DIARY_INTERVAL_S] = {"diary.interval_s", "900", true, 1, 86400},
    [DIARY_WHOLE_S] = {"diary.whole_s", "14400", true, 0, 86400},
    [DIARY_PACE_MS] = {"diary.pace_ms", "200", true, 0, 60000},
    [DIARY_FIRST] = {"diary.first", "known"},
    [DIARY_REHEARSAL_FILE] = {"diary.rehearsal_file", ""},
    [DIARY_DIGEST_HOUR] = {"diary.digest_hour", "18", true, 0, 23},
    [DIARY_DIGEST_WEEKDAY] = {"diary.digest_weekday", "5", true, 1, 7},
    [DIARY_TIMETABLE_HOUR] = {"diary.timetable_hour", "-1", true, -1, 23},
    [DIARY_PUPIL_FIRST_HOURS] = {"diary.pupil_first_hours", "0", true, 0, 72},
    [MATRIX_AS_TOKEN_FILE] = {"matrix.as_token_file", ""},
    [MATRIX_BRIDGE_URL] = {"matrix.bridge_url", ""},
    [MATRIX_BOT] = {"matrix.bot", "_diary"},
    [MATRIX_LANGUAGE] = {"matrix.language", "ru"},
    [MATRIX_LINKS] = {"matrix.links", ""},
    [MATRIX_DIARY_LINK] = {"matrix.diary_link", ""},
    [MATRIX_ENCRYPTION] = {"matrix.encryption", "allow"},
};

/* --- Names --- */

static size_t count_names(void)
{
    size_t n = CORE__COUNT;
    for (size_t a = 0; a < N_ADAPTERS; ++a)
        n += ADAPTERS[a]->n_settings;
    return n;
}

/* The names of all, the adapters' behind the core's: heap, each too for those of adapters. */
static struct setting_name *make_names(size_t n)
{
    struct setting_name *names = xcalloc(n, sizeof *names);
    size_t at = CORE__COUNT;
    for (size_t i = 0; i < CORE__COUNT; ++i)
        names[i].name = xstrdup(CORE[i].name);
    for (size_t a = 0; a < N_ADAPTERS; ++a)
        for (size_t i = 0; i < ADAPTERS[a]->n_settings; ++i, ++at) {
            struct text name = TEXT_INIT;
            text_addf(&name, "%s.%s", ADAPTERS[a]->name, ADAPTERS[a]->settings[i].name);
            names[at] = (struct setting_name){text_take(&name), ADAPTERS[a]->settings[i].kind == ADAPTER_LIST};
        }
    return names;
}

const char *diary_setting_name(size_t i)
{
    static struct setting_name *names;
    size_t n = count_names();
    if (names == NULL)
        names = make_names(n);
    return i < n ? names[i].name : NULL;
}

/* --- Values --- */

static const char *const ENCRYPTIONS[] = {"allow", "require", "off"}; /* of enum diary_encryption */
#define N_ENCRYPTIONS (sizeof ENCRYPTIONS / sizeof *ENCRYPTIONS)

static size_t encryption_named(const char *name)
{
    size_t i = 0;
    while (i < N_ENCRYPTIONS && strcmp(ENCRYPTIONS[i], name) != 0)
        ++i;
    return i;
}

static const char *text_of(const struct diary_settings *s, enum core which)
{
    const char *text = s->values[which].text;
    return text != NULL && *text != '\0' ? text : CORE[which].otherwise;
}

static int64_t number_of(const struct diary_settings *s, enum core which)
{
    return strtoll(text_of(s, which), NULL, 10);
}

static const char *or_null(const char *text)
{
    return *text != '\0' ? text : NULL;
}

static bool fail_at(const struct diary_settings *s, const char *file, enum core which, const char *what,
                    struct text *problem)
{
    int line = s->values[which].line;
    if (line != 0)
        return text_fail(problem, "%s:%d: %s: %s", file, line, CORE[which].name, what);
    return text_fail(problem, "%s: %s: %s", file, CORE[which].name, what);
}

/* "+03:00". false: it is none. */
static bool read_utc_offset(const char *text, int64_t *ms)
{
    if ((*text != '+' && *text != '-') || !shape_begins(text + 1, "00:00") || strlen(text) != strlen("+03:00"))
        return false;
    int64_t hours = strtoll(text + 1, NULL, 10), minutes = strtoll(text + 4, NULL, 10);
    *ms = (hours * 60 + minutes) * 60000 * (*text == '-' ? -1 : 1);
    return hours <= 14 && minutes < 60;
}

/* --- What each may be, beside a number and a line --- */

static bool is_one_of(const char *text, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; ++i)
        if (strcmp(text, words[i]) == 0)
            return true;
    return false;
}
#define ONE_OF(...)                                                                                                    \
    static const char *const WORDS[] = {__VA_ARGS__};                                                                  \
    return is_one_of(text, WORDS, sizeof WORDS / sizeof *WORDS)

static bool is_flag(const char *text)
{
    ONE_OF("true", "false");
}

static bool is_first(const char *text)
{
    ONE_OF("known", "tell");
}

static bool is_language(const char *text)
{
    ONE_OF("ru", "en");
}

static bool is_encryption(const char *text)
{
    return encryption_named(text) != N_ENCRYPTIONS;
}

static bool is_log_level(const char *text)
{
    enum log_level level;
    return log_level_from(text, &level);
}

static bool is_utc_offset(const char *text)
{
    int64_t ms;
    return read_utc_offset(text, &ms);
}

static bool is_address(const char *text)
{
    return strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
}

static bool is_address_or_none(const char *text)
{
    return *text == '\0' || is_address(text);
}

/* None of them is left out in silence. */
static bool are_schools(const char *text)
{
    size_t n = 0;
    for (text += strspn(text, " "); *text != '\0'; text += strspn(text, " ")) {
        ++n;
        text += strcspn(text, " ");
    }
    return n >= 1 && n <= SCHOOLS_MAX;
}

static bool is_bot(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-.") == strlen(text) && strlen(text) <= 60;
}

static bool is_path(const char *text)
{
    return *text == '/';
}

static const struct {
    enum core which;
    bool (*good)(const char *text);
    const char *otherwise;
} MEANING[] = {
    {LOG_LEVEL, is_log_level, "it is error, warn, info or debug"},
    {LISTEN_METRICS_OPEN, is_flag, "it is true or false"},
    {SCHOOL_UTC_OFFSET, is_utc_offset, "it is written as +03:00"},
    {SCHOOL_URL, is_address, "it is an http:// or https:// address"},
    {SCHOOL_ID, are_schools, "it is one to 32 sourcedIds with spaces between"},
    {DIARY_FIRST, is_first, "it is known or tell"},
    {MATRIX_BOT, is_bot, "it has small letters, digits and _ - . only, at most 60"},
    {MATRIX_BRIDGE_URL, is_address_or_none, "it is an http:// or https:// address"},
    {MATRIX_LANGUAGE, is_language, "it is ru or en"},
    {MATRIX_ENCRYPTION, is_encryption, "it is allow, require or off"},
    {DATA_DIR, is_path, "it is a path that begins with a slash"},
};

static bool check_core(const struct diary_settings *s, const char *file, struct text *problem)
{
    for (int i = 0; i < CORE__COUNT; ++i) {
        const char *text = text_of(s, (enum core)i);
        char *end;
        if (text == NULL)
            return fail_at(s, file, (enum core)i, "it is missing", problem);
        if (!text_is_line(text))
            return fail_at(s, file, (enum core)i, "it holds control characters", problem);
        int64_t number = strtoll(text, &end, 10);
        if (CORE[i].number && (end == text || *end != '\0' || number < CORE[i].low || number > CORE[i].high))
            return fail_at(s, file, (enum core)i, "it is no number in the range that docs/diary.md gives", problem);
    }
    for (size_t i = 0; i < sizeof MEANING / sizeof *MEANING; ++i)
        if (!MEANING[i].good(text_of(s, MEANING[i].which)))
            return fail_at(s, file, MEANING[i].which, MEANING[i].otherwise, problem);
    const char *at = text_of(s, LISTEN_ADDRESS);
    if (strcmp(text_of(s, LISTEN_METRICS_OPEN), "true") == 0 && strncmp(at, "127.", 4) != 0 && strcmp(at, "::1") != 0)
        return fail_at(s, file, LISTEN_METRICS_OPEN, "listen.address is not of this machine alone", problem);
    return true;
}

static char *in_dir(const char *dir, const char *name)
{
    struct text path = TEXT_INIT;
    text_addf(&path, "%s/%s", dir, name);
    return text_take(&path);
}

static void fill(struct diary_settings *s)
{
    s->data_dir = text_of(s, DATA_DIR);
    s->listen_address = text_of(s, LISTEN_ADDRESS);
    s->listen_port = (int)number_of(s, LISTEN_PORT);
    s->metrics_token_file = or_null(text_of(s, LISTEN_METRICS_TOKEN_FILE));
    s->metrics_open = strcmp(text_of(s, LISTEN_METRICS_OPEN), "true") == 0;
    log_level_from(text_of(s, LOG_LEVEL), &s->log_level);
    s->school_url = text_of(s, SCHOOL_URL);
    s->school_words = xstrdup(text_of(s, SCHOOL_ID));
    char *rest;
    for (char *word = strtok_r(s->school_words, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        s->schools[s->n_schools++] = word;
    s->school_token_file = text_of(s, SCHOOL_TOKEN_FILE);
    s->school_ca_file = or_null(text_of(s, SCHOOL_CA_FILE));
    s->roster_s = number_of(s, SCHOOL_ROSTER_S);
    read_utc_offset(text_of(s, SCHOOL_UTC_OFFSET), &s->utc_offset_ms);
    s->digest_hour = (int)number_of(s, DIARY_DIGEST_HOUR);
    s->pupil_first_hours = (int)number_of(s, DIARY_PUPIL_FIRST_HOURS);
    s->timetable_hour = (int)number_of(s, DIARY_TIMETABLE_HOUR);
    s->digest_weekday = (int)number_of(s, DIARY_DIGEST_WEEKDAY);
    s->back_days = (int)number_of(s, DIARY_BACK_DAYS);
    s->forward_days = (int)number_of(s, DIARY_FORWARD_DAYS);
    s->interval_s = number_of(s, DIARY_INTERVAL_S);
    s->whole_s = number_of(s, DIARY_WHOLE_S);
    s->pace_ms = number_of(s, DIARY_PACE_MS);
    s->tell_all = strcmp(text_of(s, DIARY_FIRST), "tell") == 0;
    s->rehearsal_file = or_null(text_of(s, DIARY_REHEARSAL_FILE));
    s->as_token_file = or_null(text_of(s, MATRIX_AS_TOKEN_FILE));
    s->bridge_url = or_null(text_of(s, MATRIX_BRIDGE_URL));
    s->bot = text_of(s, MATRIX_BOT);
    s->english = strcmp(text_of(s, MATRIX_LANGUAGE), "en") == 0;
    s->links = text_of(s, MATRIX_LINKS);
    s->diary_link = or_null(text_of(s, MATRIX_DIARY_LINK));
    s->encryption = (enum diary_encryption)encryption_named(text_of(s, MATRIX_ENCRYPTION));
    s->crypto_key_path = in_dir(s->data_dir, "crypto.key");
    s->state_path = in_dir(s->data_dir, "diary.db");
    s->key_path = in_dir(s->data_dir, "hash.key");
    s->lock_path = in_dir(s->data_dir, "diary.lock");
}

/* A source is there when the first setting of its section is; a section without it is a mistake. */
static bool find_sources(struct diary_settings *s, const char *file, struct text *problem)
{
    size_t at = CORE__COUNT;
    for (size_t a = 0; a < N_ADAPTERS; at += ADAPTERS[a]->n_settings, ++a) {
        int line = 0;
        for (size_t i = 0; i < ADAPTERS[a]->n_settings; ++i)
            line = line == 0 ? s->values[at + i].line : line;
        if (line == 0)
            continue;
        struct source *source = &s->sources[s->n_sources++];
        *source = (struct source){.adapter = ADAPTERS[a], .values = &s->values[at], .pace_ms = s->pace_ms};
        struct text why = TEXT_INIT;
        bool good = adapter_check(source, &why);
        if (!good)
            text_fail(problem, "%s:%d: %s", file, line, why.data);
        text_finish(&why);
        if (!good)
            return false;
    }
    return true;
}

struct diary_settings *diary_settings_parse(const char *name, const char *bytes, size_t len, struct text *problem)
{
    struct diary_settings *s = xcalloc(1, sizeof *s);
    s->n_values = count_names();
    s->values = xcalloc(s->n_values, sizeof *s->values);
    struct setting_name *names = make_names(s->n_values);
    bool good = settings_read(name, bytes, len, names, s->n_values, s->values, problem) && check_core(s, name, problem);
    for (size_t i = 0; i < s->n_values; ++i)
        free((void *)names[i].name);
    free(names);
    if (good) {
        fill(s);
        good = find_sources(s, name, problem);
    }
    if (good)
        return s;
    diary_settings_free(s);
    return NULL;
}

struct diary_settings *diary_settings_load(const char *path, struct text *problem)
{
    char *bytes = xcalloc(1, SETTINGS_BYTES_MAX + 1);
    FILE *f = fopen(path, "re");
    struct diary_settings *s = NULL;
    if (f == NULL)
        text_fail(problem, "%s: %s", path, strerror(errno));
    else
        s = diary_settings_parse(path, bytes, fread(bytes, 1, SETTINGS_BYTES_MAX + 1, f), problem);
    if (f != NULL)
        fclose(f);
    free(bytes);
    return s;
}

void diary_settings_free(struct diary_settings *s)
{
    if (s == NULL)
        return;
    settings_finish(s->values, s->n_values);
    free(s->values);
    free(s->school_words);
    free(s->state_path);
    free(s->key_path);
    free(s->lock_path);
    free(s->crypto_key_path);
    free(s);
}
