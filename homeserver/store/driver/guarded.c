#include "homeserver/store/driver/guarded.h"

#include <stdlib.h>
#include <string.h>

#define KEPT_BYTES_MAX (256 << 10) /* of memory that the next job finds */

#define NO(column, because)                                                                                            \
    {                                                                                                                  \
        column, NULL, GUARD_NO, VALUE_PLAIN, 0, because                                                                \
    }
#define KEY(column, as, value)                                                                                         \
    {                                                                                                                  \
        column, as, GUARD_KEY, value                                                                                   \
    }
#define PLACE(column, as, value)                                                                                       \
    {                                                                                                                  \
        column, as, GUARD_KEY, value, GUARD_PLACE                                                                      \
    }
#define SHOWN(column, as, value)                                                                                       \
    {                                                                                                                  \
        column, as, GUARD_SHOWN, value                                                                                 \
    }
#define HIDDEN(column, as)                                                                                             \
    {                                                                                                                  \
        column, as, GUARD_HIDDEN                                                                                       \
    }
#define FREE(table, because)                                                                                           \
    {                                                                                                                  \
        table, NULL, ROWS_NEVER, ROWS_NEVER, NULL, because                                                             \
    }

#define COUNTS "it counts changes, for If-Match"
#define WHEN "when, which the entry says"
#define WHO "who and why, which the entry says"

/* clang-format off: a row a table */
const struct guarded_table GUARDED_TABLES[] = {
    /* Accounts. To register, to end one's own sessions and to drop one's own address is nobody else's act. */
    {"users",
     "account",
     ROWS_UNLESS_OWN,
     ROWS_ALWAYS,
     "user_no",
     NULL,
     {{"admin", NULL, GUARD_SHOWN, VALUE_FLAG, GUARD_STAFF},
      {"password_hash", "password", GUARD_HIDDEN, VALUE_PLAIN, GUARD_OWN | GUARD_TOLD, "one's own password"},
      SHOWN("state", NULL, VALUE_PLAIN),
      KEY("localpart", "user", VALUE_LOCALPART),
      PLACE("user_no", "", VALUE_USER),
      NO("kind", "it never changes"),
      NO("language", "one's own taste"),
      NO("session_epoch", "it counts, with sessions, whose rows say it"),
      NO("created_ms", WHEN)}},
    {"devices",
     "session",
     ROWS_NEVER,
     ROWS_UNLESS_OWN,
     "user_no",
     "who has signed in",
     {PLACE("user_no", "user", VALUE_USER), NO("device_no", "a number"),
      NO("device_id display_name", "its owner's words: the log outlives an erasure"),
      NO("last_seen_ms last_seen_ip created_ms client_no", "by itself")}},
    {"second_factors",
     "second_factor",
     ROWS_NEVER,
     ROWS_UNLESS_OWN,
     "user_no",
     "who sets one up has signed in",
     {PLACE("user_no", "user", VALUE_USER), NO("secret", "a secret"), NO("set_ms", WHEN),
      NO("last_step", "which code was used last")}},
    {"identities",
     "identity",
     ROWS_NEVER,
     ROWS_UNLESS_OWN,
     "user_no",
     "a provider has proven whose it is",
     {KEY("issuer", NULL, VALUE_PLAIN), PLACE("user_no", "user", VALUE_USER),
      NO("subject", "who somebody is elsewhere: the log outlives an erasure"), NO("linked_ms", WHEN)}},
    {"contacts",
     "contact",
     ROWS_NEVER,
     ROWS_UNLESS_OWN,
     "user_no",
     "a code has proven whose it is",
     {KEY("medium", NULL, VALUE_PLAIN), PLACE("user_no", "user", VALUE_USER), NO("address", "an address"),
      NO("verified_ms added_ms", WHEN)}},
    {"registration_tokens",
     "registration_token",
     ROWS_ALWAYS,
     ROWS_ALWAYS,
     NULL,
     NULL,
     {SHOWN("expires_ms", "expires", VALUE_PLAIN), SHOWN("uses_allowed", "uses", VALUE_PLAIN),
      NO("uses", "who registers uses it"), NO("token_hash", "a secret"), NO("created_ms", WHEN)}},
    {"operator_tokens",
     "operator_token",
     ROWS_ALWAYS,
     ROWS_ALWAYS,
     NULL,
     NULL,
     {SHOWN("expires_ms", "expires", VALUE_PLAIN), KEY("name", "operator", VALUE_PLAIN),
      SHOWN("revoked_ms", "revoked", VALUE_PLAIN), SHOWN("scopes", NULL, VALUE_PLAIN), NO("token_no", "a number"),
      NO("token_hash", "a secret"), NO("created_ms", WHEN)}},
    {"erasures",
     "erasure",
     ROWS_ALWAYS,
     ROWS_ALWAYS,
     NULL,
     NULL,
     {SHOWN("done_ms", "done", VALUE_PLAIN), PLACE("user_no", "user", VALUE_USER), NO("author", WHO),
      NO("started_ms", WHEN), NO("room_no pos left_ms scrubbed_ms", "how far it has come")}},

    /* The records */
    {"schools",
     "school",
     ROWS_ALWAYS,
     ROWS_ALWAYS,
     NULL,
     NULL,
     {SHOWN("ended", NULL, VALUE_FLAG), HIDDEN("name", NULL), PLACE("school_no", "school", VALUE_SCHOOL),
      SHOWN("source", NULL, VALUE_SOURCE), NO("sourced_id", "school, which it names"), NO("version", COUNTS)}},
    {"classes",
     "class",
     ROWS_ALWAYS,
     ROWS_ALWAYS,
     NULL,
     NULL,
     {KEY("sourced_id", "class", VALUE_PLAIN), SHOWN("ended", NULL, VALUE_FLAG), SHOWN("grade", NULL, VALUE_PLAIN),
      SHOWN("kind", NULL, VALUE_PLAIN), PLACE("school_no", "school", VALUE_SCHOOL), SHOWN("source", NULL, VALUE_SOURCE),
      HIDDEN("title", NULL), NO("class_no", "a number"), NO("version", COUNTS)}},
    {"people",
     "person",
     ROWS_ALWAYS,
     ROWS_ALWAYS,
     NULL,
     NULL,
     {HIDDEN("birth_date", NULL), SHOWN("closed", NULL, VALUE_FLAG), SHOWN("enabled", NULL, VALUE_FLAG),
      SHOWN("ended", NULL, VALUE_FLAG), HIDDEN("family_name", NULL), HIDDEN("given_name", NULL),
      HIDDEN("middle_name", NULL), PLACE("user_no", "person", VALUE_PERSON), SHOWN("source", NULL, VALUE_SOURCE),
      NO("sourced_id", "person, which it names"), NO("version", COUNTS)}},
    {"roles",
     "role",
     ROWS_ALWAYS,
     ROWS_ALWAYS,
     NULL,
     NULL,
     {KEY("begin_date", "begin", VALUE_DAY), SHOWN("end_date", "end", VALUE_DAY),
      KEY("user_no", "person", VALUE_PERSON), KEY("role", NULL, VALUE_PLAIN),
      PLACE("school_no", "school", VALUE_SCHOOL), KEY("source", NULL, VALUE_SOURCE)}},
    {"enrollments",
     "enrollment",
     ROWS_ALWAYS,
     ROWS_ALWAYS,
     NULL,
     NULL,
     {KEY("begin_date", "begin", VALUE_DAY), PLACE("class_no", "class", VALUE_CLASS),
      SHOWN("end_date", "end", VALUE_DAY), KEY("user_no", "person", VALUE_PERSON), KEY("role", NULL, VALUE_PLAIN),
      SHOWN("source", NULL, VALUE_SOURCE)}},
    {"custodies",
     "custody",
     ROWS_ALWAYS,
     ROWS_ALWAYS,
     NULL,
     NULL,
     {PLACE("child", NULL, VALUE_PERSON), KEY("guardian", NULL, VALUE_PERSON), SHOWN("kind", NULL, VALUE_PLAIN),
      NO("set_ms", WHEN)}},
    {"left_custodies",
     "left_custody",
     ROWS_ALWAYS,
     ROWS_ALWAYS,
     NULL,
     NULL,
     {PLACE("child", NULL, VALUE_PERSON), SHOWN("kind", NULL, VALUE_PLAIN)}},
    {"guardianships",
     "guardianship",
     ROWS_ALWAYS,
     ROWS_ALWAYS,
     NULL,
     NULL,
     {PLACE("child", NULL, VALUE_PERSON), KEY("guardian", NULL, VALUE_PERSON), SHOWN("source", NULL, VALUE_SOURCE),
      NO("since_ms", WHEN)}},
    {"policies",
     "policy",
     ROWS_ALWAYS,
     ROWS_ALWAYS,
     NULL,
     NULL,
     {HIDDEN("document", NULL), PLACE("school_no", "school", VALUE_SCHOOL), KEY("version", NULL, VALUE_PLAIN),
      NO("author reason", WHO), NO("created_ms", WHEN)}},

    /* Who is let in, and what was decided */
    {"links",
     "link",
     ROWS_ALWAYS,
     ROWS_ALWAYS,
     NULL,
     NULL,
     {KEY("class_no", "class", VALUE_CLASS), SHOWN("expires_ms", "expires", VALUE_PLAIN),
      KEY("kind", NULL, VALUE_PLAIN), KEY("link_no", "link", VALUE_PLAIN), KEY("person", NULL, VALUE_PERSON),
      SHOWN("revoked_ms", "revoked", VALUE_PLAIN), SHOWN("role", NULL, VALUE_PLAIN),
      PLACE("school_no", "school", VALUE_SCHOOL), KEY("sent_by", "sent by", VALUE_PLAIN),
      SHOWN("claim_until_ms", "unconfirmed until", VALUE_PLAIN), SHOWN("uses_allowed", "uses", VALUE_PLAIN),
      NO("uses", "who applies uses it"), NO("token_hash send_to delivery", "a secret, and how far the post is"),
      NO("issuer issuer_name", WHO), NO("created_ms", WHEN)}},
    {"applications",
     "application",
     ROWS_UNLESS_OWN,
     ROWS_ALWAYS,
     "user_no",
     NULL,
     {KEY("application_no", "application", VALUE_PLAIN), KEY("child", NULL, VALUE_PERSON),
      KEY("class_no", "class", VALUE_CLASS), KEY("kind", NULL, VALUE_PLAIN), SHOWN("role", NULL, VALUE_PLAIN),
      PLACE("school_no", "school", VALUE_SCHOOL), SHOWN("state", NULL, VALUE_PLAIN), KEY("user_no", "user", VALUE_USER),
      NO("link_no", "it never changes"),
      NO("given_name family_name middle_name birth_date note", "the applicant's word: the records have what was taken"),
      NO("decided_by reason", WHO), NO("decided_ms created_ms", WHEN), NO("version", COUNTS)}},
    {"reports",
     "report",
     ROWS_NEVER,
     ROWS_ALWAYS,
     NULL,
     "whoever reports trusts that few hear of it",
     {KEY("kind", NULL, VALUE_PLAIN),
      {"report_no", "report", GUARD_KEY, VALUE_PLAIN, GUARD_REPORT},
      PLACE("school_no", "school", VALUE_SCHOOL),
      SHOWN("state", NULL, VALUE_PLAIN),
      NO("reporter accused room_no event_id evidence reason resolution", "the report tells those who may read it"),
      NO("handled_by handled_ms", WHO),
      NO("created_ms", WHEN),
      NO("version", COUNTS)}},

    /* Rooms */
    {"rooms",
     "room",
     ROWS_NEVER,
     ROWS_NEVER,
     "owner",
     "people make rooms",
     {{"owner", NULL, GUARD_SHOWN, VALUE_USER, GUARD_FIRST | GUARD_OWN, "who goes leaves the room to somebody else"},
      KEY("room_id", "room", VALUE_PLAIN),
      PLACE("room_no", "", VALUE_ROOM),
      NO("kind", "it follows from how the room was made, and from the records"),
      NO("published", "those who have the power in the room say so"),
      NO("version creator created_ms", "they never change"),
      NO("joined", "memberships, counted")}},
    {"named_members",
     "named_member",
     ROWS_ALWAYS,
     ROWS_ALWAYS,
     NULL,
     NULL,
     {KEY("user_no", "person", VALUE_PERSON), PLACE("room_no", "room", VALUE_ROOM)}},
    {"associations",
     "association",
     ROWS_ALWAYS,
     ROWS_ALWAYS,
     NULL,
     NULL,
     {KEY("room_no", "room", VALUE_ROOM), PLACE("school_no", "school", VALUE_SCHOOL), NO("agreed_by", WHO),
      NO("agreed_ms", WHEN)}},
    {"roster_members",
     "power",
     ROWS_IF_SET,
     ROWS_IF_SET,
     NULL,
     NULL,
     {KEY("user_no", "person", VALUE_PERSON), SHOWN("power", NULL, VALUE_PLAIN), PLACE("room_no", "room", VALUE_ROOM)}},

    /* What says nothing of who may what, or follows from what is above */
    FREE("stream", "positions"),
    FREE("profile_fields", "people's own; names follow from the records"),
    FREE("recovery_codes", "they go with their second factor"),
    FREE("untold_guardians", "of which guardianships somebody is to be told still"),
    FREE("untold_hearers", "the same, and who"),
    FREE("page_sessions", "who has signed in with a browser, for some hours"),
    FREE("access_tokens", "they go with their session"),
    FREE("refresh_tokens", "they go with their session"),
    FREE("spent_refresh_tokens", "they go with their session"),
    FREE("oauth_clients", "which programs there are: nobody's"),
    FREE("oauth_codes", "people let their own programs in"),
    FREE("oauth_device_codes", "people let their own programs in"),
    FREE("filters", "people's own"),
    FREE("account_data", "people's own"),
    FREE("events", "what people write and do in rooms is a chain of its own"),
    FREE("room_state", "it follows from events"),
    FREE("memberships", "they follow from events"),
    FREE("transactions", "what a client sent already"),
    FREE("relations", "they follow from events"),
    FREE("aliases", "those who have the power in the room name it"),
    FREE("receipts", "people's own"),
    FREE("room_schools", "it follows from who is in a room, and from associations"),
    FREE("roster_rooms", "they follow from the records"),
    FREE("archived_rooms", "they follow from the records"),
    FREE("direct_rooms", "a direct chat is of two for ever, as they made it"),
    FREE("incarnations", "which run of the server gave which tokens away"),
    FREE("code_counts", "how many messages with codes went out"),
    FREE("settled", "up to which day dates have taken effect"),
    FREE("association_codes", "to ask changes nothing; agreeing does"),
    FREE("roster_mirrors", "the roster as it came: what it changes is in the records"),
    FREE("held_imports", "they wait: what one of them changes is in the records once it is confirmed"),
    FREE("losses", "what was lost lately is in the log by the records that changed"),
    FREE("taken_members", "what a roster took, kept to come back: what comes back is in the records and rooms"),
    FREE("taken_owners", "the same"),
    FREE("taken_states", "the same"),
    FREE("taken_contacts", "the same"),
    FREE("taken_records", "the same"),
    FREE("imports", "a list of entries of the log"),
    FREE("verifications", "codes on their way"),
    FREE("held_messages", "what people write"),
    FREE("audit", "the log"),
    FREE("idempotency", "what requests were answered"),
    FREE("urgent_messages", "how many there were: an entry says who and why"),
    FREE("media", "what people upload: it is theirs, like what they write"),
    FREE("media_places", "where it was sent, by the rules for what is sent"),
    FREE("media_gone", "files that are to be removed"),
    FREE("search_removals", "whose words the index of words has yet to forget"),
    FREE("consumers", "how far they have come"),
    FREE("network_rooms", "those who have the power in the room publish it"),
    FREE("appservice_users", "which service made somebody: the entry of the account says so"),
    FREE("appservice_transactions", "how far the server has come in telling them"),
    FREE("device_keys", "public keys, by their own devices"),
    FREE("device_lists", "when they changed"),
    FREE("one_time_keys", "public keys, by their own devices"),
    FREE("fallback_keys", "the same"),
    FREE("cross_signing_keys", "public keys of a person, proven by their password when they change"),
    FREE("key_signatures", "whose keys a person holds for good"),
    FREE("to_device", "what clients say to each other"),
    FREE("to_device_lost", "how much of it had to go"),
    FREE("to_device_transactions", "what a client sent already"),
    FREE("key_backups", "people's own, encrypted"),
    FREE("backup_keys", "the same"),
    FREE("dehydrated_devices", "the same"),
    FREE("pushers", "where one's own devices are told that there is news"),
    FREE("thread_subscriptions", "what one follows"),
    FREE("held_pushes", "that there is news, for later"),
};
/* clang-format on */
const int GUARDED_TABLES_N = sizeof GUARDED_TABLES / sizeof *GUARDED_TABLES;

const struct guarded_table *guarded_find(const char *table)
{
    for (int i = 0; i < GUARDED_TABLES_N; ++i)
        if (GUARDED_TABLES[i].record != NULL && strcmp(GUARDED_TABLES[i].name, table) == 0)
            return &GUARDED_TABLES[i];
    return NULL;
}

/* --- Whether an entry must tell --- */

static bool same(const struct row_value *a, const struct row_value *b)
{
    if (a->kind != b->kind) /* a column that was added later reads as NULL in older rows: it is the default there */
        return (a->kind == ROW_NULL && b->kind == ROW_NUMBER && b->number == 0) ||
               (b->kind == ROW_NULL && a->kind == ROW_NUMBER && a->number == 0);
    return a->kind == ROW_NULL ||
           (a->kind == ROW_NUMBER ? a->number == b->number : a->len == b->len && memcmp(a->text, b->text, a->len) == 0);
}

static bool is_set(const struct row_value *value)
{
    return value->kind == ROW_NUMBER ? value->number != 0 : value->kind != ROW_NULL && value->len != 0;
}

/* --- Packing --- */

/* kept: else only whether there is one. */
static void pack_value(struct text *out, const struct row_value *value, bool kept)
{
    char kind = (char)(kept || value->kind == ROW_NULL ? value->kind : ROW_BYTES);
    text_addc(out, kind);
    if (kind == ROW_NUMBER)
        text_add(out, (const char *)&value->number, sizeof value->number);
    if (kind == ROW_TEXT) {
        uint16_t len = (uint16_t)(value->len <= ROW_TEXT_MAX ? value->len : ROW_TEXT_MAX);
        text_add(out, (const char *)&len, sizeof len);
        text_add(out, value->text, len);
        text_addc(out, '\0');
    }
}

static const char *unpack_value(const char *at, struct row_value *out)
{
    uint16_t len;
    *out = (struct row_value){.kind = *at++};
    if (out->kind == ROW_NUMBER) {
        memcpy(&out->number, at, sizeof out->number);
        return at + sizeof out->number;
    }
    if (out->kind != ROW_TEXT)
        return at;
    memcpy(&len, at, sizeof len);
    out->text = at + sizeof len;
    out->len = len;
    return out->text + len + 1;
}

/* Whether a row that came or went needs an entry. */
static bool row_tells(const struct guarded_table *table, enum guarded_rows rows, const struct row_value *values)
{
    bool set = rows == ROWS_ALWAYS || rows == ROWS_UNLESS_OWN;
    for (int i = 0; rows == ROWS_IF_SET && table->columns[i].name != NULL; ++i)
        set = set || (table->columns[i].guard == GUARD_SHOWN && is_set(&values[i]));
    return set;
}

void row_changes_add(struct row_changes *changes, const struct guarded_table *table, char sign,
                     const struct row_value before[GUARDED_COLUMNS_MAX],
                     const struct row_value after[GUARDED_COLUMNS_MAX])
{
    bool changed[GUARDED_COLUMNS_MAX] = {false}, any = false;
    if (sign != ROW_CHANGED)
        any = sign == ROW_ADDED ? row_tells(table, table->added, after) : row_tells(table, table->removed, before);
    for (int i = 0; table->columns[i].name != NULL; ++i) {
        const struct guarded_column *column = &table->columns[i];
        bool first = (column->flags & GUARD_FIRST) != 0 && before[i].kind == ROW_NULL;
        changed[i] = column->guard != GUARD_NO && !first && !same(&before[i], &after[i]);
        any = any || (sign == ROW_CHANGED && changed[i]);
    }
    if (!any)
        return;
    if (changes->packed.len > ROW_CHANGES_BYTES_MAX) {
        changes->too_many = true;
        return;
    }
    text_addc(&changes->packed, (char)(table - GUARDED_TABLES));
    text_addc(&changes->packed, sign);
    for (int i = 0; table->columns[i].guard != GUARD_NO; ++i) {
        text_addc(&changes->packed, changed[i] ? 1 : 0);
        pack_value(&changes->packed, &before[i], table->columns[i].guard != GUARD_HIDDEN);
        pack_value(&changes->packed, &after[i], table->columns[i].guard != GUARD_HIDDEN);
    }
    ++changes->n;
}

bool row_changes_next(const struct row_changes *changes, size_t *at, struct row_change *out)
{
    if (*at >= changes->packed.len)
        return false;
    const char *from = changes->packed.data + *at;
    *out = (struct row_change){.table = &GUARDED_TABLES[(unsigned char)*from], .sign = from[1]};
    from += 2;
    for (int i = 0; out->table->columns[i].guard != GUARD_NO; ++i) {
        out->columns[i].changed = *from++ != 0;
        from = unpack_value(from, &out->columns[i].before);
        from = unpack_value(from, &out->columns[i].after);
    }
    *at = (size_t)(from - changes->packed.data);
    return true;
}

void row_changes_clear(struct row_changes *changes)
{
    if (changes->packed.cap > KEPT_BYTES_MAX)
        text_finish(&changes->packed);
    text_clear(&changes->packed);
    changes->n = 0;
    changes->too_many = false;
}

void row_changes_finish(struct row_changes *changes)
{
    text_finish(&changes->packed);
    changes->n = 0;
}

bool row_change_is_own(const struct row_change *change, user_no user)
{
    const struct guarded_table *table = change->table;
    enum guarded_rows rows = change->sign == ROW_ADDED ? table->added : table->removed;
    bool own = false, may = user != 0 && (change->sign == ROW_CHANGED || rows == ROWS_UNLESS_OWN);
    for (int i = 0; may && table->columns[i].guard != GUARD_NO; ++i) {
        const struct guarded_column *column = &table->columns[i];
        const struct row_value *value =
            change->sign == ROW_ADDED ? &change->columns[i].after : &change->columns[i].before;
        if (change->columns[i].changed)
            may = change->sign == ROW_CHANGED ? (column->flags & GUARD_OWN) != 0
                                              : (column->flags & GUARD_STAFF) == 0 || !is_set(value);
        own = own || (table->own != NULL && strcmp(column->name, table->own) == 0 && value->number == user);
    }
    return may && own;
}
