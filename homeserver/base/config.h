/* The configuration: one YAML file, read once at start (libcyaml beneath).
 *
 * Every setting is a row of the table in config.c: its name, kind, default and range. A setting that the file does not
 * name has its default; an unknown name, a value of another kind or out of range is refused with the file and its line.
 * docs/settings.md describes each; a test compares that page and docker/parta.yaml with the table.
 *
 * A struct config does not change once loaded, so that any thread reads it. SIGHUP loads a second one and takes over
 * log.level and the certificates only. */
#ifndef PARTA_BASE_CONFIG_H
#define PARTA_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/log.h"
#include "homeserver/base/text.h"

enum policy_mode { POLICY_SCHOOL, POLICY_OPEN };

enum mail_tls { MAIL_STARTTLS, MAIL_TLS, MAIL_TLS_NONE };

enum sms_method { SMS_POST, SMS_PUT, SMS_GET };
enum sms_body_type { SMS_JSON, SMS_FORM };

enum registration_mode { REGISTRATION_CLOSED, REGISTRATION_TOKEN, REGISTRATION_OPEN };

/* A bucket: it refills at per_second and holds burst requests. per_second 0: this class is not limited ("off"). */
struct rate_limit {
    double per_second;
    int burst;
};

struct config {
    char *server_name;    /* the part of ids behind the ':'; required */
    char *public_baseurl; /* where clients reach the server, no slash at the end; NULL:
                           * https://<server_name> is assumed */
    char *appservices;    /* the folder of application services' registrations; NULL: there are none */
    struct {
        char *providers; /* the folder of the providers that people sign in at (oidc/providers.h); NULL: none */
    } oidc;
    char *data_dir; /* holds the database, the signing key, the lock; no slash at the end */

    struct {
        char *address;
        int port; /* 0: no cleartext listener */
    } listen;
    struct {
        char *address;
        int port;          /* 0: no TLS listener */
        char *certificate; /* PEM files, the chain and the key; both set when port is */
        char *key;
    } tls;
    struct {
        char *address;
        int port; /* 0: no metrics */
    } metrics;

    struct {
        enum log_level level;
    } log;
    struct {
        int loops;   /* event loops; 0: one per core, at most 4 */
        int workers; /* most threads for handlers */
        int hashers; /* most password hashes at a time; 0: one per core */
    } threads;
    struct {
        int64_t body_max_bytes;
        int64_t header_timeout_ms; /* from the first byte of a request to the end of its header */
        int64_t idle_timeout_ms;   /* between two requests of a connection */
        int64_t body_timeout_ms;   /* for a whole body; of a large one, for each next piece */
        int64_t unread_max_kib;    /* replies that clients have not read, of all */
        int connections_max;
        int connections_per_address; /* 0: half of them */
        char **trusted_proxies;      /* addresses or networks whose X-Forwarded-For is believed */
        size_t n_trusted_proxies;
    } http;
    struct {
        bool durable;     /* synchronous=FULL: answered means on disk */
        int cache_kib;    /* page cache of the writer; a worker's is smaller */
        int verify_hours; /* between two times that a copy is read whole; 0: only when something is suspected */
    } storage;
    struct {
        enum policy_mode mode;
    } policy;
    struct {
        char *scanner;  /* the socket of a virus scanner (clamd); NULL: none looks at uploads */
        bool unscanned; /* uploads are taken also when it fails */
        bool previews;  /* of web addresses (media/previews.h) */
    } media;
    struct {
        enum registration_mode mode;
        char *shared_secret; /* of /_synapse/admin/v1/register; NULL: that endpoint is off */
    } registration;
    struct {
        char *default_version; /* "1" … "12" */
    } rooms;
    struct {
        int ops; /* argon2id's passes */
        int memory_kib;
        int length_min; /* characters of a new password */
    } passwords;
    struct {
        int64_t access_lifetime_ms;  /* of an access token that has a refresh token */
        int64_t session_lifetime_ms; /* of one that has none; 0: no end */
        int64_t refresh_lifetime_ms; /* of an unused refresh token; 0: no end */
    } tokens;
    struct {
        struct rate_limit read, write, message, room, login, account, registration, appservice, operator,
            codes; /* as enum rate_class of http/request.h */
    } rate_limits;
    struct {
        char *url;  /* smtp://host:587 or smtps://host:465; NULL: no mail is sent */
        char *from; /* an address; set when url is */
        char *name; /* that people see beside it; NULL: none */
        char *user; /* NULL: no authentication */
        char *password_file;
        enum mail_tls tls;
        char *ca_file; /* PEM; NULL: the system's */
    } mail;
    struct {
        char *url; /* NULL: no SMS is sent. url, body, header: templates (mail/sms.h) */
        enum sms_method method;
        char *body;
        enum sms_body_type body_type;
        char *header;      /* "Name: value"; NULL: none */
        char *secret_file; /* NULL: none */
        char *success;     /* stands in the answer to what was taken; NULL: any 2xx */
        char *ca_file;
    } sms;
    struct {
        int64_t lifetime_ms; /* of a code sent to a phone or e-mail address */
        int tries;           /* how often a wrong code may be submitted */
        int per_hour;        /* most messages to one address */
        struct code_caps {   /* most messages with codes in a day, for what lies behind one … */
            int own;         /* number or address */
            int client;      /* place that asks: an IPv4 address, an IPv6 /64 */
            int school;      /* school; all who are of none, or nobody knows of which, are one */
            int server;
        } sms, mail;
    } codes;
    struct {
        char *source;    /* the name of what is pulled (policy/oneroster/source.h) */
        char *url;       /* of a OneRoster 1.2 rostering service, no slash at the end; NULL: none */
        char *token_url; /* OAuth 2's token endpoint; this and the next two are set when url is */
        char *client_id;
        char *client_secret_file; /* its first line */
        char *ca_file;            /* PEM, instead of the system's authorities; NULL: those */
        int interval_s;           /* between two pulls; 0: only when somebody asks for one */
        int64_t timeout_ms;       /* for a reply */
        bool demographics;        /* whether the source has birth dates for us */
        /* policy/records/loss.h: an import that takes away or changes more waits until somebody confirms it. */
        int hold_gone_percent, hold_changed_percent;
        int hold_at_least; /* people: fewer are never too many */
    } roster;
    struct {
        char **gateways; /* that pushers may name (push/delivery/gateways.h) */
        size_t n_gateways;
        int mail_minutes; /* between two mails to one person that say how much is unread */
    } push;
    struct {
        bool enabled; /* the OAuth 2.0 API (client-api/oauth/), where it can be offered: config_oauth_obstacle */
    } oauth;
    struct {
        bool enabled;
    } presence;
    struct {
        char **uris; /* "turn:turn.school.example:3478?transport=udp"; none: no server for calls is offered */
        size_t n_uris;
        char *secret_file;   /* its first line is what the TURN server shares with this one; set when there are uris */
        int64_t lifetime_ms; /* of what is given to a client */
    } turn;
    struct {
        char *base_url; /* of /.well-known/matrix/client; NULL: public_baseurl */
    } well_known;
    struct {
        char *page, *email, *matrix_id; /* of /.well-known/matrix/support; NULL: not given */
    } support;

    /* Made from data_dir. */
    char *database_path;    /* data_dir/parta.db */
    char *media_path;       /* data_dir/media: a folder (media/files.h) */
    char *search_path;      /* data_dir/search.db: the index of words (homeserver/search/search.h) */
    char *copy_path;        /* data_dir/verify.db: of the database, while it is read whole (jobs/storage_check.h) */
    char *signing_key_path; /* data_dir/signing.key (base/keyfile.h) */
    char *lock_path;        /* data_dir/parta.lock: held by whoever writes the database (base/lock.h) */
    char *control_path;     /* data_dir/control.sock: where a running server hears parta (cli/control.h) */
};

/* Loads path. false: *problem says what is wrong ("parta.yaml:12: …"), *out is untouched. Blocks (a small file). */
bool config_load(const char *path, struct config **out, struct text *problem);

/* The same from len bytes; name stands for the file in problems. */
bool config_parse(const char *name, const char *bytes, size_t len, struct config **out, struct text *problem);

void config_free(struct config *config); /* NULL is accepted */

/* Why the OAuth 2.0 API is not offered, a sentence for the administrator; NULL: it is. Clients that find its metadata
 * show no form for a password any more, and take it by https alone (RFC 8414, 2): where public_baseurl does not say
 * that the server is reached so, or on this very machine, they are to find nothing. Pure; static storage. */
const char *config_oauth_obstacle(const struct config *config);

/* Whether "localhost:8008" and the like, up to a path or the end, is this very machine. Pure. */
bool host_is_loopback(const char *authority);

/* The names of all settings in order, for tests and `parta config`: "http.body_max_bytes". NULL past the last. */
const char *config_setting_name(size_t i);

/* Appends every setting as YAML with its value here, secrets left out. */
void config_print(const struct config *config, struct text *out);

#endif
