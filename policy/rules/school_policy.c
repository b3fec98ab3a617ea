#include "policy/rules/school_policy.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/ids.h"
#include "homeserver/base/json.h"

#define MINUTES_A_DAY (24 * 60)
#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)
#define PATH_SHOWN_MAX 80 /* bytes: longer than any path that there is */

#define X(name, word, allowed) | ((allowed) ? RELATION_BIT(RELATION_##name) : 0)

const struct school_policy SCHOOL_POLICY_DEFAULT = {
    .direct = 0 RELATIONSHIPS(X),
    .make_direct = ROLES_FAMILY | ROLES_STAFF,
    .make_club = ROLES_STAFF,
    .staff_in_pupils_rooms = true,
    .polls = ROLES_STAFF,
    .encryption = {[ROOM_FREE] = ENCRYPTION_ALLOWED,
                   [ROOM_DIRECT] = ENCRYPTION_ALLOWED,
                   [ROOM_CLUB] = ENCRYPTION_ALLOWED,
                   [ROOM_DOCUMENTS] = ENCRYPTION_ALLOWED},
    .quiet = {.mode = QUIET_OFF,
              .from_minute = 21 * 60,
              .to_minute = 7 * 60,
              .utc_offset_minutes = 180,
              .senders = ROLES_STAFF | ROLE_GUARDIAN,
              .urgent = ROLES_LEADING},
    .restricted_may = RESTRICTED_WRITE_CLASS_TEACHER,
    .consent_age = 14,
    .unknown_age_is_child = true,
    .claim_wait_days = 7,
    .second_factor = {.grace_days = 14},
    .class_teacher_may = CLASS_TEACHER_LINKS | CLASS_TEACHER_REPORTS | CLASS_TEACHER_PEOPLE,
    .media = {[MEDIA_PUPIL] = {20 * MIB, 1 * GIB},
              [MEDIA_GUARDIAN] = {50 * MIB, 1 * GIB},
              [MEDIA_STAFF] = {200 * MIB, 10 * GIB}},
};
#undef X

#define X(name, word, allowed) [RELATION_##name] = word,
static const char *const RELATIONSHIP_NAMES[] = {RELATIONSHIPS(X)};
#undef X

const char *relationship_name(enum relationship relationship)
{
    return RELATIONSHIP_NAMES[relationship];
}

/* --- Cells: one row a key of the document --- */

struct cell;

/* How a value is spelt. read answers false for what it does not take; complaint says what that is. */
struct spelling {
    bool (*read)(const struct cell *cell, const json_t *value, void *at);
    json_t *(*write)(const struct cell *cell, const void *at);
    const char *complaint;
};

struct cell {
    const char *path; /* keys of nested objects, with dots between */
    const struct spelling *spelling;
    size_t at;                /* where in struct school_policy */
    int64_t low;              /* numbers: the least */
    int64_t high;             /* numbers: the most; lists: the bits that can be said; a bit: itself */
    const char *const *words; /* lists: by bit; one word: by value. NULL-terminated */
};

static bool bool_read(const struct cell *cell, const json_t *value, void *at)
{
    bool b = json_is_true(value);
    memcpy(at, &b, sizeof b);
    return json_is_boolean(value);
}

static json_t *bool_write(const struct cell *cell, const void *at)
{
    return json_boolean(*(const bool *)at);
}

static bool bit_read(const struct cell *cell, const json_t *value, void *at)
{
    uint32_t *bits = at, bit = (uint32_t)cell->high;
    *bits = json_is_true(value) ? *bits | bit : *bits & ~bit;
    return json_is_boolean(value);
}

static json_t *bit_write(const struct cell *cell, const void *at)
{
    return json_boolean((*(const uint32_t *)at & (uint32_t)cell->high) != 0);
}

/* The word's place in the list; −1: it is not there, or is no string. */
static int word_find(const struct cell *cell, const json_t *value)
{
    const char *word = json_string_value(value);
    for (int i = 0; word != NULL && cell->words[i] != NULL; ++i)
        if (strcmp(cell->words[i], word) == 0)
            return i;
    return -1;
}

static bool set_read(const struct cell *cell, const json_t *value, void *at)
{
    unsigned set = 0;
    size_t i;
    const json_t *item;
    json_array_foreach(value, i, item) {
        int bit = word_find(cell, item);
        if (bit < 0 || ((unsigned)cell->high >> bit & 1) == 0)
            return false;
        set |= 1u << bit;
    }
    memcpy(at, &set, sizeof set);
    return json_is_array(value);
}

static json_t *set_write(const struct cell *cell, const void *at)
{
    unsigned set = *(const unsigned *)at;
    json_t *list = json_array();
    for (int i = 0; cell->words[i] != NULL; ++i)
        if ((set >> i & 1) != 0)
            json_array_append_new(list, json_string(cell->words[i]));
    return list;
}

static bool rule_read(const struct cell *cell, const json_t *value, void *at)
{
    int i = word_find(cell, value);
    *(unsigned char *)at = (unsigned char)i;
    return i >= 0;
}

static json_t *rule_write(const struct cell *cell, const void *at)
{
    return json_string(cell->words[*(const unsigned char *)at]);
}

static bool mode_read(const struct cell *cell, const json_t *value, void *at)
{
    int i = word_find(cell, value);
    *(enum quiet_mode *)at = i < 0 ? QUIET_OFF : (enum quiet_mode)i;
    return i >= 0;
}

static json_t *mode_write(const struct cell *cell, const void *at)
{
    return json_string(cell->words[*(const enum quiet_mode *)at]);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "21:00" in minutes; −1: not so written, or no time of a day. */
static int clock_read(const char *text)
{
    if (strlen(text) != 5 || text[2] != ':' || !is_digit(text[0]) || !is_digit(text[1]) || !is_digit(text[3]) ||
        !is_digit(text[4]))
        return -1;
    int hours = (text[0] - '0') * 10 + text[1] - '0', minutes = (text[3] - '0') * 10 + text[4] - '0';
    return hours < 24 && minutes < 60 ? hours * 60 + minutes : -1;
}

static bool time_read(const struct cell *cell, const json_t *value, void *at)
{
    const char *text = json_string_value(value);
    int minutes = text != NULL ? clock_read(text) : -1;
    *(int *)at = minutes;
    return minutes >= 0;
}

static json_t *time_write(const struct cell *cell, const void *at)
{
    int minutes = *(const int *)at;
    return json_sprintf("%02d:%02d", minutes / 60, minutes % 60);
}

static bool offset_read(const struct cell *cell, const json_t *value, void *at)
{
    const char *text = json_string_value(value);
    if (text == NULL || (*text != '+' && *text != '-'))
        return false;
    int minutes = clock_read(text + 1), offset = *text == '-' ? -minutes : minutes;
    *(int *)at = offset;
    return minutes >= 0 && offset >= cell->low && offset <= cell->high;
}

static json_t *offset_write(const struct cell *cell, const void *at)
{
    int offset = *(const int *)at, minutes = offset < 0 ? -offset : offset;
    return json_sprintf("%c%02d:%02d", offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

static bool in_range(const struct cell *cell, const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) >= cell->low && json_integer_value(value) <= cell->high;
}

static bool years_read(const struct cell *cell, const json_t *value, void *at)
{
    if (!in_range(cell, value))
        return false;
    *(int *)at = (int)json_integer_value(value);
    return true;
}

static json_t *years_write(const struct cell *cell, const void *at)
{
    return json_integer(*(const int *)at);
}

static bool bytes_read(const struct cell *cell, const json_t *value, void *at)
{
    if (!in_range(cell, value))
        return false;
    *(int64_t *)at = json_integer_value(value);
    return true;
}

static json_t *bytes_write(const struct cell *cell, const void *at)
{
    return json_integer(*(const int64_t *)at);
}

/* null: no bound, −1 in the struct. */
static bool quota_read(const struct cell *cell, const json_t *value, void *at)
{
    if (!json_is_null(value))
        return bytes_read(cell, value, at);
    *(int64_t *)at = -1;
    return true;
}

static json_t *quota_write(const struct cell *cell, const void *at)
{
    return *(const int64_t *)at < 0 ? json_null() : bytes_write(cell, at);
}

/* null: not said. */
static bool day_read(const struct cell *cell, const json_t *value, void *at)
{
    school_day day = json_is_string(value) ? day_from(json_string_value(value)) : DAY_EVER;
    memcpy(at, &day, sizeof day);
    return day > DAY_EVER || json_is_null(value);
}

static json_t *day_write(const struct cell *cell, const void *at)
{
    char text[DAY_TEXT_BYTES];
    school_day day = *(const school_day *)at;
    return day != DAY_EVER ? json_string(day_text(day, text)) : json_null();
}

#define COMPLAINT_BOOL "neither true nor false"
static const struct spelling BOOL = {bool_read, bool_write, COMPLAINT_BOOL},
                             BIT = {bit_read, bit_write, COMPLAINT_BOOL},
                             SET = {set_read, set_write, "not a list of words that can stand here"},
                             RULE = {rule_read, rule_write, "none of the words that can stand here"},
                             MODE = {mode_read, mode_write, "none of the words that can stand here"},
                             TIME = {time_read, time_write, "not a time of day like \"21:00\""},
                             OFFSET = {offset_read, offset_write, "not between \"-12:00\" and \"+14:00\""},
                             YEARS = {years_read, years_write, "not a number of years in range"},
                             DAY = {day_read, day_write, "neither a day like \"2026-09-01\" nor null"},
                             DAYS = {years_read, years_write, "not a number of days in range"},
                             BYTES = {bytes_read, bytes_write, "not a number of bytes in range"},
                             QUOTA = {quota_read, quota_write, "neither a number of bytes in range nor null"};

/* By bit of enum school_role, as words.c has them (a test compares). */
static const char *const ROLE_WORDS[] = {"pupil",  "guardian", "teacher",       "class_teacher", "staff",
                                         "deputy", "head",     "administrator", "external",      NULL};
static const char *const ENCRYPTION_WORDS[] = {
    [ENCRYPTION_FORBIDDEN] = "forbidden", [ENCRYPTION_ALLOWED] = "allowed", [ENCRYPTION_REQUIRED] = "required", NULL};
static const char *const NEW_ROOMS_WORDS[] = {[NEW_ROOMS_STRIP] = "strip", [NEW_ROOMS_REFUSE] = "refuse", NULL};
static const char *const LANGUAGE_WORDS[] = {[SCHOOL_SPEAKS_RU] = "ru", [SCHOOL_SPEAKS_EN] = "en", NULL};
static const char *const QUIET_WORDS[] = {
    [QUIET_OFF] = "off", [QUIET_WARN] = "warn", [QUIET_DELAY] = "delay", [QUIET_REFUSE] = "refuse", NULL};
static const char *const RESTRICTED_WORDS[] = {"write_class_teacher", "write_class", "write_guardian",
                                               "write_roster_rooms",  "documents",   NULL};
static const char *const CLASS_TEACHER_WORDS[] = {"approve", "links", "reports", "people", NULL};

const char *encryption_rule_name(enum encryption_rule rule)
{
    return ENCRYPTION_WORDS[rule];
}

const char *new_rooms_rule_name(enum new_rooms_rule rule)
{
    return NEW_ROOMS_WORDS[rule];
}

#define AT(field) offsetof(struct school_policy, field)
#define ROLES(path_, field, roles)                                                                                     \
    {                                                                                                                  \
        .path = path_, .spelling = &SET, .at = AT(field), .high = (roles), .words = ROLE_WORDS                         \
    }
#define ENCRYPTION(word, kind)                                                                                         \
    {                                                                                                                  \
        .path = "encryption." word, .spelling = &RULE, .at = AT(encryption) + (kind), .words = ENCRYPTION_WORDS        \
    }
#define MEDIA(word, tier)                                                                                              \
    {.path = "media." word ".file_max", .spelling = &BYTES, .at = AT(media[tier].file_max), .high = JSON_INT_MAX},     \
    {                                                                                                                  \
        .path = "media." word ".quota", .spelling = &QUOTA, .at = AT(media[tier].quota), .high = JSON_INT_MAX          \
    }
#define X(name, word, allowed)                                                                                         \
    {.path = "direct." word, .spelling = &BIT, .at = AT(direct), .high = RELATION_BIT(RELATION_##name)},

/* In the order in which a document is written. Rooms that are not named under "encryption" are never encrypted: in
 * spaces and archives nobody writes, and the library is for those who come later. */
static const struct cell CELLS[] = {
    {.path = "language", .spelling = &RULE, .at = AT(language), .words = LANGUAGE_WORDS},
    RELATIONSHIPS(X) /**/
    /* External staff have no direct chats and are in named rooms only (E7): not the school's to change. */
    ROLES("rooms.direct", make_direct, ROLES_FAMILY | ROLES_STAFF),
    ROLES("rooms.club", make_club, ROLES_FAMILY | ROLES_STAFF),
    {.path = "staff_in_pupils_rooms", .spelling = &BOOL, .at = AT(staff_in_pupils_rooms)},
    ROLES("polls", polls, ROLES_EVERYBODY),
    ENCRYPTION("class", ROOM_CLASS),
    ENCRYPTION("guardians", ROOM_GUARDIANS),
    ENCRYPTION("staff", ROOM_STAFF),
    ENCRYPTION("announcements", ROOM_ANNOUNCEMENTS),
    ENCRYPTION("subject", ROOM_SUBJECT),
    ENCRYPTION("direct", ROOM_DIRECT),
    ENCRYPTION("club", ROOM_CLUB),
    ENCRYPTION("documents", ROOM_DOCUMENTS),
    ENCRYPTION("association", ROOM_ASSOCIATION),
    {.path = "encryption.new_rooms", .spelling = &RULE, .at = AT(encryption_new_rooms), .words = NEW_ROOMS_WORDS},
    {.path = "quiet_hours.mode", .spelling = &MODE, .at = AT(quiet.mode), .words = QUIET_WORDS},
    {.path = "quiet_hours.from", .spelling = &TIME, .at = AT(quiet.from_minute)},
    {.path = "quiet_hours.to", .spelling = &TIME, .at = AT(quiet.to_minute)},
    {.path = "quiet_hours.utc_offset",
     .spelling = &OFFSET,
     .at = AT(quiet.utc_offset_minutes),
     .low = -12 * 60,
     .high = 14 * 60},
    {.path = "quiet_hours.push", .spelling = &BOOL, .at = AT(quiet.push)},
    ROLES("quiet_hours.senders", quiet.senders, ROLES_EVERYBODY),
    ROLES("quiet_hours.urgent", quiet.urgent, ROLES_STAFF),
    {.path = "push.content", .spelling = &BOOL, .at = AT(push_content)},
    {.path = "restricted.may", .spelling = &SET, .at = AT(restricted_may), .high = 31, .words = RESTRICTED_WORDS},
    {.path = "restricted.age", .spelling = &YEARS, .at = AT(consent_age), .low = 0, .high = 18},
    {.path = "restricted.unknown_age_is_child", .spelling = &BOOL, .at = AT(unknown_age_is_child)},
    {.path = "class_teacher.may",
     .spelling = &SET,
     .at = AT(class_teacher_may),
     .high = 15,
     .words = CLASS_TEACHER_WORDS},
    {.path = "personal_links.wait_days", .spelling = &DAYS, .at = AT(claim_wait_days), .low = 1, .high = 60},
    ROLES("second_factor.roles", second_factor.roles, ROLES_STAFF | ROLE_EXTERNAL),
    {.path = "second_factor.from", .spelling = &DAY, .at = AT(second_factor.from)},
    {.path = "second_factor.grace_days", .spelling = &DAYS, .at = AT(second_factor.grace_days), .low = 0, .high = 60},
    {.path = "guardians.need_approval", .spelling = &BOOL, .at = AT(guardian_needs_approval)},
    MEDIA("pupil", MEDIA_PUPIL),
    MEDIA("guardian", MEDIA_GUARDIAN),
    MEDIA("staff", MEDIA_STAFF),
};
#undef X
#define CELLS_COUNT (sizeof CELLS / sizeof *CELLS)

/* The cell of that path, or one inside it; NULL: there is neither. */
static const struct cell *cell_find(const char *path, size_t len)
{
    for (size_t i = 0; i < CELLS_COUNT; ++i)
        if (strncmp(CELLS[i].path, path, len) == 0 && (CELLS[i].path[len] == '\0' || CELLS[i].path[len] == '.'))
            return &CELLS[i];
    return NULL;
}

/* --- Reading --- */

struct reading {
    struct school_policy *out;
    struct text path, *problem;
};

/* A path of which only the beginning may be the document's own is cut, between characters. */
static bool complain(struct reading *r, const char *what)
{
    size_t len = utf8_cut(r->path.data, r->path.len, PATH_SHOWN_MAX);
    text_add(r->problem, len > 0 ? r->path.data : "the document", len > 0 ? len : strlen("the document"));
    text_addf(r->problem, "%s: %s", len < r->path.len ? "…" : "", what);
    return false;
}

static bool object_read(struct reading *r, const json_t *object);

static bool member_read(struct reading *r, const char *key, const json_t *value)
{
    const struct cell *cell = strchr(key, '.') == NULL ? cell_find(r->path.data, r->path.len) : NULL;
    if (cell == NULL)
        return complain(r, "there is no such key");
    if (cell->path[r->path.len] == '.')
        return object_read(r, value);
    return cell->spelling->read(cell, value, (char *)r->out + cell->at) || complain(r, cell->spelling->complaint);
}

static bool object_read(struct reading *r, const json_t *object)
{
    const char *key;
    json_t *value;
    size_t len = r->path.len;
    if (!json_is_object(object))
        return complain(r, "not an object");
    json_object_foreach((json_t *)object, key, value) {
        text_addf(&r->path, "%s%s", len > 0 ? "." : "", key);
        if (!member_read(r, key, value))
            return false;
        r->path.data[r->path.len = len] = '\0';
    }
    return true;
}

/* What no cell says by itself; NULL: it is good. */
static const char *contradiction(const struct school_policy *policy)
{
    if (policy->quiet.from_minute == policy->quiet.to_minute)
        return "quiet_hours: from and to are the same time";
    if (policy->second_factor.roles != 0 && policy->second_factor.from == DAY_EVER)
        return "second_factor: from is missing: the day from which it is needed";
    return NULL;
}

bool school_policy_read(const json_t *document, const struct school_policy *base, struct school_policy *out,
                        struct text *problem)
{
    struct reading r = {.out = out, .problem = problem};
    *out = *base;
    bool ok = object_read(&r, document);
    const char *wrong = ok ? contradiction(out) : NULL;
    if (wrong != NULL)
        text_adds(problem, wrong);
    text_finish(&r.path);
    return ok && wrong == NULL;
}

/* --- Writing --- */

/* Sets the value at the path, making the objects on the way; takes value. */
static void set_at(json_t *object, const char *path, json_t *value)
{
    const char *dot;
    for (; (dot = strchr(path, '.')) != NULL; path = dot + 1) {
        json_t *inner = json_object_getn(object, path, (size_t)(dot - path));
        if (inner == NULL) {
            inner = json_object();
            json_object_setn_new(object, path, (size_t)(dot - path), inner);
        }
        object = inner;
    }
    json_object_set_new(object, path, value);
}

json_t *school_policy_document(const struct school_policy *policy)
{
    json_t *document = json_object();
    for (size_t i = 0; i < CELLS_COUNT; ++i)
        set_at(document, CELLS[i].path, CELLS[i].spelling->write(&CELLS[i], (const char *)policy + CELLS[i].at));
    return document;
}

/* --- Several schools --- */

static unsigned char encryption_strictest(unsigned char a, unsigned char b)
{
    if (a == ENCRYPTION_FORBIDDEN || b == ENCRYPTION_FORBIDDEN)
        return ENCRYPTION_FORBIDDEN;
    return a > b ? a : b;
}

static int quiet_minutes(const struct school_policy *p)
{
    return (p->quiet.to_minute - p->quiet.from_minute + MINUTES_A_DAY) % MINUTES_A_DAY;
}

/* < 0: a is the stricter one: by mode, then by length; the rest only so that the order of the two
 * makes no difference. */
static int quiet_compare(const struct school_policy *a, const struct school_policy *b)
{
    int differences[] = {(int)b->quiet.mode - (int)a->quiet.mode, quiet_minutes(b) - quiet_minutes(a),
                         a->quiet.from_minute - b->quiet.from_minute,
                         a->quiet.utc_offset_minutes - b->quiet.utc_offset_minutes};
    for (size_t i = 0; i < sizeof differences / sizeof *differences; ++i)
        if (differences[i] != 0)
            return differences[i];
    return 0;
}

/* One window cannot hold two: the stricter mode's counts, then the longer. Whom either binds is bound. */
static void quiet_strictest(const struct school_policy *a, const struct school_policy *b, struct school_policy *out)
{
    out->quiet = quiet_compare(a, b) <= 0 ? a->quiet : b->quiet;
    if (a->quiet.mode != QUIET_OFF && b->quiet.mode != QUIET_OFF) {
        out->quiet.senders = a->quiet.senders | b->quiet.senders;
        out->quiet.push = a->quiet.push && b->quiet.push;
    }
    out->quiet.urgent = a->quiet.urgent & b->quiet.urgent;
}

static int64_t bytes_strictest(int64_t a, int64_t b)
{
    if (a < 0 || b < 0)
        return a < 0 ? b : a;
    return a < b ? a : b;
}

/* Whom either binds is bound, from the earlier day. */
static void factor_strictest(const struct school_policy *b, struct school_policy *out)
{
    if (b->second_factor.from != DAY_EVER &&
        (out->second_factor.from == DAY_EVER || b->second_factor.from < out->second_factor.from))
        out->second_factor.from = b->second_factor.from;
    if (b->second_factor.grace_days < out->second_factor.grace_days)
        out->second_factor.grace_days = b->second_factor.grace_days;
    out->second_factor.roles |= b->second_factor.roles;
}

struct school_policy school_policy_strictest(const struct school_policy *a, const struct school_policy *b)
{
    struct school_policy s = *a;
    s.direct &= b->direct;
    s.make_direct &= b->make_direct;
    s.make_club &= b->make_club;
    s.staff_in_pupils_rooms |= b->staff_in_pupils_rooms;
    s.polls &= b->polls;
    for (int i = 0; i < ROOM_KIND__COUNT; ++i)
        s.encryption[i] = encryption_strictest(a->encryption[i], b->encryption[i]);
    if (b->encryption_new_rooms > s.encryption_new_rooms)
        s.encryption_new_rooms = b->encryption_new_rooms;
    quiet_strictest(a, b, &s);
    s.push_content &= b->push_content;
    s.restricted_may &= b->restricted_may;
    s.consent_age = a->consent_age > b->consent_age ? a->consent_age : b->consent_age;
    s.unknown_age_is_child |= b->unknown_age_is_child;
    s.class_teacher_may &= b->class_teacher_may;
    s.claim_wait_days = a->claim_wait_days > b->claim_wait_days ? a->claim_wait_days : b->claim_wait_days;
    s.guardian_needs_approval |= b->guardian_needs_approval;
    factor_strictest(b, &s);
    for (int i = 0; i <= MEDIA_STAFF; ++i) {
        s.media[i].file_max = bytes_strictest(a->media[i].file_max, b->media[i].file_max);
        s.media[i].quota = bytes_strictest(a->media[i].quota, b->media[i].quota);
    }
    return s;
}

/* --- The second factor --- */

school_day school_policy_factor_day(const struct school_policy *policy, unsigned roles, school_day since)
{
    if ((policy->second_factor.roles & roles) == 0)
        return DAY_NEVER;
    school_day own = since != DAY_EVER ? day_after(since, policy->second_factor.grace_days) : DAY_EVER;
    return own > policy->second_factor.from ? own : policy->second_factor.from;
}

/* --- Quiet hours --- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

bool school_policy_quiet(const struct school_policy *policy, int64_t now_ms, int64_t *ends_ms)
{
    if (policy->quiet.mode == QUIET_OFF)
        return false;
    int64_t minutes = floor_div(now_ms, MINUTE_MS), local = minutes + policy->quiet.utc_offset_minutes;
    int minute = (int)(local - floor_div(local, MINUTES_A_DAY) * MINUTES_A_DAY);
    int from = policy->quiet.from_minute, to = policy->quiet.to_minute;
    bool quiet = from < to ? minute >= from && minute < to : minute >= from || minute < to;
    if (quiet)
        *ends_ms = (minutes + (to - minute + MINUTES_A_DAY - 1) % MINUTES_A_DAY + 1) * MINUTE_MS;
    return quiet;
}
