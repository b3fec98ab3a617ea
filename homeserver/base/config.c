#include "homeserver/base/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/settings.h"

enum kind {
    KIND_TEXT,   /* char *; NULL when empty */
    KIND_SECRET, /* the same, never printed */
    KIND_LIST,   /* char **, its size_t behind it */
    KIND_INT,    /* int */
    KIND_LONG,   /* int64_t */
    KIND_FLAG,   /* bool */
    KIND_CHOICE, /* an enum, by its name */
    KIND_RATE,   /* struct rate_limit: "5/s burst 20", "10/min burst 5", "off" */
};

struct choice {
    const char *name; /* NULL: the end */
    int value;
};

static const struct choice LOG_LEVELS[] = {
    {"error", LOG_ERROR}, {"warn", LOG_WARN}, {"info", LOG_INFO}, {"debug", LOG_DEBUG}, {NULL}};
static const struct choice POLICY_MODES[] = {{"school", POLICY_SCHOOL}, {"open", POLICY_OPEN}, {NULL}};
static const struct choice REGISTRATION_MODES[] = {
    {"closed", REGISTRATION_CLOSED}, {"token", REGISTRATION_TOKEN}, {"open", REGISTRATION_OPEN}, {NULL}};

static const struct choice MAIL_TLS_WAYS[] = {
    {"starttls", MAIL_STARTTLS}, {"tls", MAIL_TLS}, {"none", MAIL_TLS_NONE}, {NULL}};
static const struct choice SMS_METHODS[] = {{"POST", SMS_POST}, {"PUT", SMS_PUT}, {"GET", SMS_GET}, {NULL}};
static const struct choice SMS_BODY_TYPES[] = {{"json", SMS_JSON}, {"form", SMS_FORM}, {NULL}};

/* What a text must be. NULL: fits; otherwise the sentence for whoever wrote the file. */
typedef const char *text_check(const char *s);

static text_check check_server_name, check_url, check_address, check_network, check_room_version, check_secret,
    check_matrix_id, check_path, check_mail_url, check_mail_address, check_line, check_header, check_source,
    check_turn_uri, check_gateway;

#define AT(field) offsetof(struct config, field)
#define NONE NULL

/* Every setting: name, kind, where it goes, default (as one would write it; NULL: none), range or check. */
static const struct setting {
    const char *name;
    enum kind kind;
    size_t at;
    const char *otherwise;
    int64_t low, high;
    text_check *check;
    const struct choice *choices;
} SETTINGS[] = {
    {"server_name", KIND_TEXT, AT(server_name), NONE, .check = check_server_name},
    {"public_baseurl", KIND_TEXT, AT(public_baseurl), NONE, .check = check_url},
    {"data_dir", KIND_TEXT, AT(data_dir), "/var/lib/parta", .check = check_path},
    {"appservices", KIND_TEXT, AT(appservices), NONE, .check = check_path},
    {"oidc.providers", KIND_TEXT, AT(oidc.providers), NONE, .check = check_path},

    {"listen.address", KIND_TEXT, AT(listen.address), "127.0.0.1", .check = check_address},
    {"listen.port", KIND_INT, AT(listen.port), "8008", 0, 65535},
    {"tls.address", KIND_TEXT, AT(tls.address), "127.0.0.1", .check = check_address},
    {"tls.port", KIND_INT, AT(tls.port), "0", 0, 65535},
    {"tls.certificate", KIND_TEXT, AT(tls.certificate), NONE},
    {"tls.key", KIND_TEXT, AT(tls.key), NONE},
    {"metrics.address", KIND_TEXT, AT(metrics.address), "127.0.0.1", .check = check_address},
    {"metrics.port", KIND_INT, AT(metrics.port), "0", 0, 65535},

    {"log.level", KIND_CHOICE, AT(log.level), "info", .choices = LOG_LEVELS},
    {"threads.loops", KIND_INT, AT(threads.loops), "0", 0, 64},
    {"threads.workers", KIND_INT, AT(threads.workers), "16", 1, 256},
    {"threads.hashers", KIND_INT, AT(threads.hashers), "0", 0, 64},

    {"http.body_max_bytes", KIND_LONG, AT(http.body_max_bytes), "1048576", 65536, 1 << 30},
    {"http.header_timeout_ms", KIND_LONG, AT(http.header_timeout_ms), "10000", 100, 600000},
    {"http.idle_timeout_ms", KIND_LONG, AT(http.idle_timeout_ms), "75000", 100, 3600000},
    {"http.body_timeout_ms", KIND_LONG, AT(http.body_timeout_ms), "60000", 100, 3600000},
    {"http.unread_max_kib", KIND_LONG, AT(http.unread_max_kib), "262144", 1024, 67108864},
    {"http.connections_max", KIND_INT, AT(http.connections_max), "10000", 16, 1000000},
    {"http.connections_per_address", KIND_INT, AT(http.connections_per_address), "0", 0, 1000000},
    {"http.trusted_proxies", KIND_LIST, AT(http.trusted_proxies), NONE, .check = check_network},

    {"storage.durable", KIND_FLAG, AT(storage.durable), "true"},
    {"storage.cache_kib", KIND_INT, AT(storage.cache_kib), "2048", 64, 8 << 20},
    {"storage.verify_hours", KIND_INT, AT(storage.verify_hours), "24", 0, 8760},

    {"policy.mode", KIND_CHOICE, AT(policy.mode), "school", .choices = POLICY_MODES},
    {"registration.mode", KIND_CHOICE, AT(registration.mode), "closed", .choices = REGISTRATION_MODES},
    {"registration.shared_secret", KIND_SECRET, AT(registration.shared_secret), NONE, .check = check_secret},
    {"rooms.default_version", KIND_TEXT, AT(rooms.default_version), "12", .check = check_room_version},

    {"passwords.ops", KIND_INT, AT(passwords.ops), "2", 1, 100},
    {"passwords.memory_kib", KIND_INT, AT(passwords.memory_kib), "19456", 8, 1 << 20},
    {"passwords.length_min", KIND_INT, AT(passwords.length_min), "8", 1, 128},
    {"tokens.access_lifetime_ms", KIND_LONG, AT(tokens.access_lifetime_ms), "3600000", 1000, INT64_C(31536000000)},
    {"tokens.session_lifetime_ms", KIND_LONG, AT(tokens.session_lifetime_ms), "0", 0, INT64_C(315360000000)},
    {"tokens.refresh_lifetime_ms", KIND_LONG, AT(tokens.refresh_lifetime_ms), "0", 0, INT64_C(315360000000)},

    {"rate_limits.read", KIND_RATE, AT(rate_limits.read), "20/s burst 60"},
    {"rate_limits.write", KIND_RATE, AT(rate_limits.write), "10/s burst 40"},
    {"rate_limits.message", KIND_RATE, AT(rate_limits.message), "5/s burst 30"},
    {"rate_limits.room", KIND_RATE, AT(rate_limits.room), "1/s burst 20"},
    {"rate_limits.login", KIND_RATE, AT(rate_limits.login), "5/s burst 200"},
    {"rate_limits.account", KIND_RATE, AT(rate_limits.account), "20/min burst 10"},
    {"rate_limits.registration", KIND_RATE, AT(rate_limits.registration), "10/min burst 10"},

    {"rate_limits.appservice", KIND_RATE, AT(rate_limits.appservice), "100/s burst 500"},
    {"rate_limits.operator", KIND_RATE, AT(rate_limits.operator), "100/s burst 500"},
    {"rate_limits.codes", KIND_RATE, AT(rate_limits.codes), "30/min burst 60"},

    {"mail.url", KIND_TEXT, AT(mail.url), NONE, .check = check_mail_url},
    {"mail.from", KIND_TEXT, AT(mail.from), NONE, .check = check_mail_address},
    {"mail.name", KIND_TEXT, AT(mail.name), NONE, .check = check_line},
    {"mail.user", KIND_TEXT, AT(mail.user), NONE, .check = check_line},
    {"mail.password_file", KIND_TEXT, AT(mail.password_file), NONE, .check = check_path},
    {"mail.tls", KIND_CHOICE, AT(mail.tls), "starttls", .choices = MAIL_TLS_WAYS},
    {"mail.ca_file", KIND_TEXT, AT(mail.ca_file), NONE, .check = check_path},
    {"sms.url", KIND_TEXT, AT(sms.url), NONE, .check = check_url},
    {"sms.method", KIND_CHOICE, AT(sms.method), "POST", .choices = SMS_METHODS},
    {"sms.body", KIND_TEXT, AT(sms.body), NONE},
    {"sms.body_type", KIND_CHOICE, AT(sms.body_type), "json", .choices = SMS_BODY_TYPES},
    {"sms.header", KIND_TEXT, AT(sms.header), NONE, .check = check_header},
    {"sms.secret_file", KIND_TEXT, AT(sms.secret_file), NONE, .check = check_path},
    {"sms.success", KIND_TEXT, AT(sms.success), NONE},
    {"sms.ca_file", KIND_TEXT, AT(sms.ca_file), NONE, .check = check_path},
    {"codes.lifetime_ms", KIND_LONG, AT(codes.lifetime_ms), "900000", 1000, 86400000},
    {"codes.tries", KIND_INT, AT(codes.tries), "5", 1, 20},
    {"codes.per_hour", KIND_INT, AT(codes.per_hour), "5", 1, 100},
    {"codes.sms_per_number", KIND_INT, AT(codes.sms.own), "10", 1, 1000},
    {"codes.sms_per_client", KIND_INT, AT(codes.sms.client), "300", 1, 1000000},
    {"codes.sms_per_school", KIND_INT, AT(codes.sms.school), "1000", 1, 1000000},
    {"codes.sms_per_server", KIND_INT, AT(codes.sms.server), "3000", 1, 10000000},
    {"codes.mail_per_address", KIND_INT, AT(codes.mail.own), "20", 1, 1000},
    {"codes.mail_per_client", KIND_INT, AT(codes.mail.client), "600", 1, 1000000},
    {"codes.mail_per_school", KIND_INT, AT(codes.mail.school), "3000", 1, 1000000},
    {"codes.mail_per_server", KIND_INT, AT(codes.mail.server), "10000", 1, 10000000},

    {"roster.source", KIND_TEXT, AT(roster.source), "roster", .check = check_source},
    {"roster.url", KIND_TEXT, AT(roster.url), NONE, .check = check_url},
    {"roster.token_url", KIND_TEXT, AT(roster.token_url), NONE, .check = check_url},
    {"roster.client_id", KIND_TEXT, AT(roster.client_id), NONE, .check = check_line},
    {"roster.client_secret_file", KIND_TEXT, AT(roster.client_secret_file), NONE, .check = check_path},
    {"roster.ca_file", KIND_TEXT, AT(roster.ca_file), NONE, .check = check_path},
    {"roster.interval_s", KIND_INT, AT(roster.interval_s), "0", 0, 604800},
    {"roster.timeout_ms", KIND_LONG, AT(roster.timeout_ms), "60000", 100, 600000},
    {"roster.demographics", KIND_FLAG, AT(roster.demographics), "true"},
    {"roster.hold_gone_percent", KIND_INT, AT(roster.hold_gone_percent), "10", 1, 100},
    {"roster.hold_changed_percent", KIND_INT, AT(roster.hold_changed_percent), "75", 1, 100},
    {"roster.hold_at_least", KIND_INT, AT(roster.hold_at_least), "5", 1, 100000},

    {"push.gateways", KIND_LIST, AT(push.gateways), NONE, .check = check_gateway},
    {"push.mail_minutes", KIND_INT, AT(push.mail_minutes), "60", 10, 10080},
    {"media.scanner", KIND_TEXT, AT(media.scanner), NONE, .check = check_path},
    {"media.unscanned", KIND_FLAG, AT(media.unscanned), "false"},
    {"media.url_previews", KIND_FLAG, AT(media.previews), "false"},

    {"oauth.enabled", KIND_FLAG, AT(oauth.enabled), "true"},
    {"presence.enabled", KIND_FLAG, AT(presence.enabled), "false"},
    {"turn.uris", KIND_LIST, AT(turn.uris), NONE, .check = check_turn_uri},
    {"turn.secret_file", KIND_TEXT, AT(turn.secret_file), NONE, .check = check_path},
    {"turn.lifetime_ms", KIND_LONG, AT(turn.lifetime_ms), "86400000", 60000, 604800000},
    {"well_known.base_url", KIND_TEXT, AT(well_known.base_url), NONE, .check = check_url},
    {"support.page", KIND_TEXT, AT(support.page), NONE, .check = check_url},
    {"support.email", KIND_TEXT, AT(support.email), NONE},
    {"support.matrix_id", KIND_TEXT, AT(support.matrix_id), NONE, .check = check_matrix_id},
};
#define N_SETTINGS (sizeof SETTINGS / sizeof *SETTINGS)

static bool all_of(const char *s, size_t len, const char *letters)
{
    return strspn(s, letters) >= len;
}

static bool host_valid(const char *s, size_t len)
{
    char address[INET6_ADDRSTRLEN];
    unsigned char bytes[16];
    if (len > 2 && len - 2 < sizeof address && s[0] == '[' && s[len - 1] == ']') {
        memcpy(address, s + 1, len - 2);
        address[len - 2] = '\0';
        return inet_pton(AF_INET6, address, bytes) == 1;
    }
    return len > 0 && all_of(s, len, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");
}

/* Appendices, "Server Name"; short enough to leave room for localparts. */
static const char *check_server_name(const char *s)
{
    size_t len = strlen(s), host = len;
    const char *colon = strrchr(s, ':');
    if (strchr(s, '/') != NULL)
        return "the name alone, without https:// and without a path (school.example)";
    if (colon != NULL && strchr(colon, ']') == NULL) {
        host = (size_t)(colon - s);
        size_t digits = strlen(colon + 1);
        if (digits < 1 || digits > 5 || !all_of(colon + 1, digits, "0123456789"))
            return "the port behind ':' must be one to five digits";
    }
    if (len > 200)
        return "longer than 200 bytes";
    return host_valid(s, host) ? NULL : "must be a host name or address, with a port if need be (school.example)";
}

static const char *check_url(const char *s)
{
    const char *host = strncmp(s, "https://", 8) == 0 ? s + 8 : strncmp(s, "http://", 7) == 0 ? s + 7 : "";
    for (const char *p = s; *p != '\0'; ++p)
        if ((unsigned char)*p <= ' ' || *p == '"' || *p == '\\' || *p == 127)
            return "no spaces, quotes or backslashes in an address";
    return *host != '\0' && *host != '/' ? NULL : "must begin with https:// or http:// and a host";
}

static const char *check_address(const char *s)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, s, bytes) == 1 || inet_pton(AF_INET6, s, bytes) == 1 ? NULL
                                                                                   : "must be an IPv4 or IPv6 address";
}

/* An address, or "10.0.0.0/8". */
/* RFC 7065. */
static const char *check_turn_uri(const char *s)
{
    const char *host = strncmp(s, "turn:", 5) == 0 ? s + 5 : strncmp(s, "turns:", 6) == 0 ? s + 6 : "";
    size_t len = strcspn(host, "?");
    const char *port = memrchr(host, ':', len);
    bool transport = strcmp(host + len, "") == 0 || strcmp(host + len, "?transport=udp") == 0 ||
                     strcmp(host + len, "?transport=tcp") == 0;
    if (port != NULL && all_of(port + 1, len - (size_t)(port + 1 - host), "0123456789"))
        len = (size_t)(port - host);
    return transport && host_valid(host, len) ? NULL
                                              : "not an address like \"turn:turn.school.example:3478?transport=udp\"";
}

static const char *check_network(const char *s)
{
    char address[INET6_ADDRSTRLEN];
    const char *slash = strchr(s, '/');
    size_t len = slash != NULL ? (size_t)(slash - s) : strlen(s), digits = slash != NULL ? strlen(slash + 1) : 0;
    snprintf(address, sizeof address, "%.*s", (int)len, s);
    if (len >= sizeof address || check_address(address) != NULL)
        return "must be an IPv4 or IPv6 address, or a network (10.0.0.0/8)";
    if (slash == NULL)
        return NULL;
    bool fits = digits >= 1 && digits <= 3 && all_of(slash + 1, digits, "0123456789") &&
                atoi(slash + 1) <= (strchr(address, ':') != NULL ? 128 : 32);
    return fits ? NULL : "the length behind '/' must be at most 32, or 128 for IPv6";
}

static const char *check_room_version(const char *s)
{
    char *end;
    long n = strtol(s, &end, 10);
    return *s >= '1' && *s <= '9' && *end == '\0' && n <= 12 ? NULL : "must be a room version from 1 to 12";
}

static const char *check_secret(const char *s)
{
    return strlen(s) >= 16 ? NULL : "must have 16 characters or more";
}

static const char *check_matrix_id(const char *s)
{
    return user_id_valid(s) ? NULL : "must be a Matrix ID (@name:server)";
}

static const char *check_mail_url(const char *s)
{
    const char *host = strncmp(s, "smtp://", 7) == 0 ? s + 7 : strncmp(s, "smtps://", 8) == 0 ? s + 8 : "";
    size_t len = strcspn(host, "]") < strlen(host) ? strcspn(host, "]") + 1 : strcspn(host, ":");
    size_t digits = host[len] == ':' ? strlen(host + len + 1) : 0;
    bool port = host[len] == '\0' || (digits >= 1 && digits <= 5 && all_of(host + len + 1, digits, "0123456789"));
    return host_valid(host, len) && port ? NULL : "must be smtp:// or smtps://, a host and a port (smtp://host:587)";
}

/* Enough to be written into a command and a header; what else an address must be, the mail server says. */
static const char *check_mail_address(const char *s)
{
    const char *at = strchr(s, '@');
    for (const char *p = s; *p != '\0'; ++p)
        if (*p <= ' ' || *p >= 127 || strchr("<>()[]\\,;:\"", *p) != NULL)
            return "must be an address (noreply@school.example)";
    return at != NULL && at != s && at[1] != '\0' && strchr(at + 1, '@') == NULL
               ? NULL
               : "must be an address (noreply@school.example)";
}

static const char *check_line(const char *s)
{
    for (; *s != '\0'; ++s)
        if ((unsigned char)*s < ' ' || *s == 127)
            return "must be one line without control characters";
    return NULL;
}

static const char *check_header(const char *s)
{
    size_t name = strcspn(s, ":");
    bool named = name > 0 && s[name] == ':' &&
                 all_of(s, name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
    return named ? check_line(s) : "must be a header (Authorization: Bearer {secret})";
}

static const char *check_source(const char *s)
{
    bool name =
        strlen(s) <= 64 && all_of(s, strlen(s), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return name && strcmp(s, "school") != 0 ? NULL
                                            : "must be letters, digits and . _ - (at most 64), and not \"school\"";
}

/* "*", a host with or without a port (then it is https://), or scheme, host and port; what follows them is always the
 * same (Push Gateway API) and may stand there. */
static const char *check_gateway(const char *s)
{
    static const char WRONG[] = "must be \"*\", a host (push.example.org) or an address (https://push.example.org)";
    const char *host = strncmp(s, "https://", 8) == 0 ? s + 8 : strncmp(s, "http://", 7) == 0 ? s + 7 : s;
    size_t host_len = strcspn(host, "/"), len = host_len;
    const char *port = host[0] == '[' ? strstr(host, "]:") : strchr(host, ':');
    if (strcmp(s, "*") == 0)
        return NULL;
    if (strlen(s) > 200 ||
        (host[len] != '\0' && strcmp(host + len, "/") != 0 && strcmp(host + len, "/_matrix/push/v1/notify") != 0))
        return WRONG;
    if (port != NULL) {
        len = (size_t)(port - host) + (host[0] == '[');
        size_t digits = host_len > len ? host_len - len - 1 : 0;
        if (digits < 1 || digits > 5 || !all_of(host + len + 1, digits, "0123456789"))
            return WRONG;
    }
    return host_valid(host, len) ? NULL : WRONG;
}

static const char *check_path(const char *s)
{
    return strlen(s) <= 3500 ? NULL : "too long";
}

/* One value's text into its place. Answers NULL or what is wrong, a fixed sentence or one in the caller's buffer. */
#define SENTENCE_BYTES 160

static const char *take_text(const struct setting *setting, const char *text, void *at)
{
    const char *wrong = setting->check != NULL && *text != '\0' ? setting->check(text) : NULL;
    size_t len = strlen(text);
    if (wrong != NULL || len == 0)
        return wrong;
    if (!utf8_valid(text, len))
        return "is not UTF-8";
    *(char **)at = xstrdup(text);
    return NULL;
}

static const char *take_number(const struct setting *setting, const char *text, void *at, char *sentence)
{
    char *end;
    size_t sign = *text == '-' ? 1 : 0;
    snprintf(sentence, SENTENCE_BYTES, "must be a whole number from %lld to %lld", (long long)setting->low,
             (long long)setting->high);
    errno = 0;
    int64_t n = strtoll(text, &end, 10);
    if (errno != 0 || text[sign] < '0' || text[sign] > '9' || *end != '\0' || n < setting->low || n > setting->high)
        return sentence;
    if (setting->kind == KIND_INT)
        *(int *)at = (int)n;
    else
        *(int64_t *)at = n;
    return NULL;
}

static const char *take_flag(const char *text, void *at)
{
    bool on = strcmp(text, "true") == 0 || strcmp(text, "yes") == 0 || strcmp(text, "on") == 0;
    if (!on && strcmp(text, "false") != 0 && strcmp(text, "no") != 0 && strcmp(text, "off") != 0)
        return "must be true or false";
    *(bool *)at = on;
    return NULL;
}

static const char *take_choice(const struct setting *setting, const char *text, void *at, char *sentence)
{
    size_t used = (size_t)snprintf(sentence, SENTENCE_BYTES, "must be one of");
    for (const struct choice *c = setting->choices; c->name != NULL; ++c) {
        if (strcmp(text, c->name) == 0) {
            *(int *)at = c->value;
            return NULL;
        }
        used += (size_t)snprintf(sentence + used, SENTENCE_BYTES - used, " %s", c->name);
    }
    return sentence;
}

static const char *take_rate(const char *text, void *at)
{
    static const struct {
        const char *name;
        double seconds;
    } UNITS[] = {{"s", 1}, {"min", 60}, {"h", 3600}};
    static const char WRONG[] = "must be \"off\" or like \"5/s burst 20\" (per s, min or h; numbers from 1 to 1000000)";
    struct rate_limit *rate = at;
    unsigned n, burst;
    char unit[4];
    int end = 0;
    *rate = (struct rate_limit){0};
    if (strcmp(text, "off") == 0)
        return NULL;
    if (strspn(text, "0123456789/abcdefghijklmnopqrstuvwxyz ") != strlen(text) ||
        sscanf(text, "%7u/%3[a-z] burst %7u%n", &n, unit, &burst, &end) != 3 || text[end] != '\0' || n < 1 ||
        n > 1000000 || burst < 1 || burst > 1000000)
        return WRONG;
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; ++i)
        if (strcmp(unit, UNITS[i].name) == 0) {
            *rate = (struct rate_limit){n / UNITS[i].seconds, (int)burst};
            return NULL;
        }
    return WRONG;
}

static const char *take_list(const struct setting *setting, const struct setting_value *value, void *at)
{
    char ***items = at;
    size_t *n = (size_t *)(items + 1); /* stands behind the pointer in struct config */
    for (size_t i = 0; i < value->n_items; ++i) {
        const char *wrong = setting->check(value->items[i]);
        if (wrong != NULL)
            return wrong;
    }
    *items = xcalloc(value->n_items, sizeof **items);
    for (*n = 0; *n < value->n_items; ++*n)
        (*items)[*n] = xstrdup(value->items[*n]);
    return NULL;
}
#define COUNTED(list, n) _Static_assert(AT(n) == AT(list) + sizeof(char **), "take_list counts on it")
COUNTED(http.trusted_proxies, http.n_trusted_proxies);
COUNTED(turn.uris, turn.n_uris);
COUNTED(push.gateways, push.n_gateways);

static const char *take(const struct setting *setting, const struct setting_value *value, struct config *config,
                        char *sentence)
{
    void *at = (char *)config + setting->at;
    const char *text = value->text != NULL ? value->text : setting->otherwise;
    if (setting->kind == KIND_LIST)
        return take_list(setting, value, at);
    if (text == NULL)
        return NULL;
    switch (setting->kind) {
    case KIND_INT:
    case KIND_LONG: return take_number(setting, text, at, sentence);
    case KIND_FLAG: return take_flag(text, at);
    case KIND_CHOICE: return take_choice(setting, text, at, sentence);
    case KIND_RATE: return take_rate(text, at);
    default: return take_text(setting, text, at);
    }
}

static bool complain(struct text *problem, const char *file, const char *name, const char *what)
{
    text_clear(problem);
    text_addf(problem, "%s: %s: %s", file, name, what);
    return false;
}

static bool take_all(const char *file, const struct setting_value *values, struct config *config, struct text *problem)
{
    char sentence[SENTENCE_BYTES];
    for (size_t i = 0; i < N_SETTINGS; ++i) {
        const char *wrong = take(&SETTINGS[i], &values[i], config, sentence);
        if (wrong == NULL)
            continue;
        text_clear(problem);
        text_addf(problem, "%s:%d: %s: %s", file, values[i].line, SETTINGS[i].name, wrong);
        return false;
    }
    return true;
}

/* Whether the address is of this machine: there, cleartext harms nobody. */
static bool is_loopback(const char *url)
{
    static const char *const HOSTS[] = {"127.0.0.1", "localhost", "[::1]"};
    const char *host = strstr(url, "://") + 3;
    for (size_t i = 0; i < sizeof HOSTS / sizeof *HOSTS; ++i) {
        size_t len = strlen(HOSTS[i]);
        if (strncmp(host, HOSTS[i], len) == 0 && strchr(":/?", host[len]) != NULL) /* also '\0' */
            return true;
    }
    return false;
}

static bool check_mail(const char *file, const struct config *config, struct text *problem)
{
    const char *url = config->mail.url;
    if (url == NULL)
        return true;
    if (config->mail.from == NULL)
        return complain(problem, file, "mail", "mail.url needs mail.from");
    if ((config->mail.user == NULL) != (config->mail.password_file == NULL))
        return complain(problem, file, "mail", "mail.user and mail.password_file belong together");
    if ((config->mail.tls == MAIL_TLS) != (strncmp(url, "smtps://", 8) == 0))
        return complain(problem, file, "mail.tls", "smtps:// goes with tls, smtp:// with starttls or none");
    return config->mail.tls != MAIL_TLS_NONE || is_loopback(url) ||
           complain(problem, file, "mail.tls", "none is for a mail server on this machine only");
}

static bool in_either(const char *a, const char *b, const char *what)
{
    return strstr(a, what) != NULL || (b != NULL && strstr(b, what) != NULL);
}

static bool check_sms(const char *file, const struct config *config, struct text *problem)
{
    const char *url = config->sms.url, *body = config->sms.body, *header = config->sms.header;
    if (url == NULL)
        return true;
    if ((config->sms.method == SMS_GET) != (body == NULL))
        return complain(problem, file, "sms.body", "goes with POST and PUT, and must be set then");
    if (!in_either(url, body, "{to}") || !in_either(url, body, "{text}"))
        return complain(problem, file, "sms", "{to} and {text} must stand in sms.body or sms.url");
    bool secret = in_either(url, body, "{secret}") || (header != NULL && strstr(header, "{secret}") != NULL);
    if (secret != (config->sms.secret_file != NULL))
        return complain(problem, file, "sms.secret_file", "goes with {secret} in sms.url, sms.body or sms.header");
    return strncmp(url, "https://", 8) == 0 || is_loopback(url) ||
           complain(problem, file, "sms.url", "http:// is for a gateway on this machine only");
}

static bool check_turn(const char *file, const struct config *config, struct text *problem)
{
    return (config->turn.n_uris != 0) == (config->turn.secret_file != NULL) ||
           complain(problem, file, "turn", "turn.uris and turn.secret_file belong together");
}

static bool check_roster(const char *file, const struct config *config, struct text *problem)
{
    const char *url = config->roster.url, *token_url = config->roster.token_url;
    if (url == NULL)
        return config->roster.interval_s == 0 || complain(problem, file, "roster.interval_s", "needs roster.url");
    if (token_url == NULL || config->roster.client_id == NULL || config->roster.client_secret_file == NULL)
        return complain(problem, file, "roster",
                        "roster.url needs roster.token_url, roster.client_id and roster.client_secret_file");
    if (strchr(url, '?') != NULL || strchr(url, '#') != NULL)
        return complain(problem, file, "roster.url", "must end with the path, without ? and #");
    return ((strncmp(url, "https://", 8) == 0 || is_loopback(url)) &&
            (strncmp(token_url, "https://", 8) == 0 || is_loopback(token_url))) ||
           complain(problem, file, "roster", "http:// is for a source on this machine only");
}

/* What no single setting shows. */
static bool check_together(const char *file, const struct config *config, struct text *problem)
{
    if (config->server_name == NULL)
        return complain(problem, file, "server_name", "must be set");
    if (config->tls.port != 0 && (config->tls.certificate == NULL || config->tls.key == NULL))
        return complain(problem, file, "tls", "tls.port needs tls.certificate and tls.key");
    if (config->listen.port == 0 && config->tls.port == 0)
        return complain(problem, file, "listen", "listen.port and tls.port are both 0: nobody could connect");
    return check_mail(file, config, problem) && check_sms(file, config, problem) && check_turn(file, config, problem) &&
           check_roster(file, config, problem);
}

static void trim_slashes(char *s)
{
    for (size_t len = s != NULL ? strlen(s) : 0; len > 1 && s[len - 1] == '/'; --len)
        s[len - 1] = '\0';
}

static char *in_data_dir(const struct config *config, const char *name)
{
    struct text path = TEXT_INIT;
    text_addf(&path, "%s/%s", config->data_dir, name);
    return text_take(&path);
}

static void complete(struct config *config)
{
    trim_slashes(config->roster.url);
    trim_slashes(config->public_baseurl);
    trim_slashes(config->well_known.base_url);
    trim_slashes(config->data_dir);
    config->database_path = in_data_dir(config, "parta.db");
    config->media_path = in_data_dir(config, "media");
    config->search_path = in_data_dir(config, "search.db");
    config->copy_path = in_data_dir(config, "verify.db");
    config->signing_key_path = in_data_dir(config, "signing.key");
    config->lock_path = in_data_dir(config, "parta.lock");
    config->control_path = in_data_dir(config, "control.sock");
}

bool host_is_loopback(const char *authority)
{
    static const char *const HOSTS[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; i < sizeof HOSTS / sizeof *HOSTS; ++i) {
        size_t len = strlen(HOSTS[i]);
        if (strncasecmp(authority, HOSTS[i], len) == 0 && strchr(":/", authority[len]) != NULL)
            return true;
    }
    return false;
}

const char *config_oauth_obstacle(const struct config *config)
{
    const char *url = config->public_baseurl;
    if (!config->oauth.enabled)
        return "oauth.enabled is off.";
    if (url == NULL)
        return "public_baseurl is not set.";
    if (strncmp(url, "https://", 8) == 0 || host_is_loopback(url + strlen("http://")))
        return NULL;
    return "public_baseurl is not https.";
}

bool config_parse(const char *name, const char *bytes, size_t len, struct config **out, struct text *problem)
{
    struct setting_name names[N_SETTINGS];
    struct setting_value values[N_SETTINGS];
    struct config *config = xcalloc(1, sizeof *config);
    for (size_t i = 0; i < N_SETTINGS; ++i)
        names[i] = (struct setting_name){SETTINGS[i].name, SETTINGS[i].kind == KIND_LIST};
    bool done = settings_read(name, bytes, len, names, N_SETTINGS, values, problem) &&
                take_all(name, values, config, problem) && check_together(name, config, problem);
    settings_finish(values, N_SETTINGS);
    if (!done) {
        config_free(config);
        return false;
    }
    complete(config);
    *out = config;
    return true;
}

bool config_load(const char *path, struct config **out, struct text *problem)
{
    char *bytes = xcalloc(SETTINGS_BYTES_MAX + 1, 1);
    FILE *f = fopen(path, "re");
    size_t len = f != NULL ? fread(bytes, 1, SETTINGS_BYTES_MAX + 1, f) : 0;
    bool done = false;
    if (f == NULL || ferror(f) != 0)
        complain(problem, path, "can't be read",
                 errno == EACCES ? "Permission denied: run this as root, or as the server's user" : strerror(errno));
    else
        done = config_parse(path, bytes, len, out, problem);
    if (f != NULL)
        fclose(f);
    free(bytes);
    return done;
}

static void free_list(char ***items)
{
    size_t n = *(size_t *)(items + 1);
    for (size_t i = 0; i < n; ++i)
        free((*items)[i]);
    free(*items);
}

void config_free(struct config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < N_SETTINGS; ++i) {
        void *at = (char *)config + SETTINGS[i].at;
        if (SETTINGS[i].kind == KIND_TEXT || SETTINGS[i].kind == KIND_SECRET)
            free(*(char **)at);
        else if (SETTINGS[i].kind == KIND_LIST)
            free_list(at);
    }
    free(config->database_path);
    free(config->media_path);
    free(config->search_path);
    free(config->copy_path);
    free(config->signing_key_path);
    free(config->lock_path);
    free(config->control_path);
    free(config);
}

const char *config_setting_name(size_t i)
{
    return i < N_SETTINGS ? SETTINGS[i].name : NULL;
}

static const char *choice_name(const struct choice *choices, int value)
{
    while (choices->name != NULL && choices->value != value)
        ++choices;
    return choices->name;
}

static void print_rate(const struct rate_limit *rate, struct text *out)
{
    if (rate->per_second == 0)
        text_adds(out, "off");
    else if (rate->per_second >= 1 && rate->per_second == floor(rate->per_second))
        text_addf(out, "%.0f/s burst %d", rate->per_second, rate->burst);
    else if (rate->per_second * 60 >= 1 && fabs(rate->per_second * 60 - round(rate->per_second * 60)) < 1e-9)
        text_addf(out, "%.0f/min burst %d", rate->per_second * 60, rate->burst);
    else
        text_addf(out, "%.0f/h burst %d", rate->per_second * 3600, rate->burst);
}

static void print_list(char **const *list, struct text *out)
{
    char *const *items = *list;
    size_t n = *(const size_t *)(list + 1);
    text_addc(out, '[');
    for (size_t i = 0; i < n; ++i) {
        text_adds(out, i != 0 ? ", " : "");
        text_add_json(out, items[i]);
    }
    text_addc(out, ']');
}

static void print_value(const struct setting *setting, const struct config *config, struct text *out)
{
    const void *at = (const char *)config + setting->at;
    const char *text = setting->kind == KIND_TEXT || setting->kind == KIND_SECRET ? *(char *const *)at : NULL;
    switch (setting->kind) {
    case KIND_TEXT:
        if (text != NULL)
            text_add_json(out, text);
        break;
    case KIND_SECRET: text_adds(out, text != NULL ? "# set, not shown" : ""); break;
    case KIND_LIST: print_list(at, out); break;
    case KIND_INT: text_add_int(out, *(const int *)at); break;
    case KIND_LONG: text_add_int(out, *(const int64_t *)at); break;
    case KIND_FLAG: text_adds(out, *(const bool *)at ? "true" : "false"); break;
    case KIND_CHOICE: text_adds(out, choice_name(setting->choices, *(const int *)at)); break;
    case KIND_RATE: print_rate(at, out); break;
    }
}

void config_print(const struct config *config, struct text *out)
{
    const char *section = "";
    size_t section_len = 0;
    for (size_t i = 0; i < N_SETTINGS; ++i) {
        const char *name = SETTINGS[i].name, *dot = strchr(name, '.');
        size_t len = dot != NULL ? (size_t)(dot - name) : 0;
        if (dot != NULL && (len != section_len || strncmp(name, section, len) != 0))
            text_addf(out, "%.*s:\n", (int)len, name);
        section = name;
        section_len = len;
        text_addf(out, "%s%s: ", dot != NULL ? "  " : "", dot != NULL ? dot + 1 : name);
        print_value(&SETTINGS[i], config, out);
        text_addc(out, '\n');
    }
}
