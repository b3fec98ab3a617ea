/* The configuration file: defaults, every kind of setting, refusals with their line, the two pages that document it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "homeserver/base/config.h"
#include "homeserver/base/keyfile.h"
#include "homeserver/base/lock.h"

static struct config *load(const char *yaml)
{
    struct config *config = NULL;
    struct text problem = TEXT_INIT;
    if (!config_parse("f", yaml, strlen(yaml), &config, &problem))
        fail_msg("refused: %s", problem.data);
    text_finish(&problem);
    return config;
}

static void test_defaults(void **state)
{
    struct config *config = load("server_name: school.example\n");
    assert_string_equal(config->server_name, "school.example");
    assert_null(config->public_baseurl);
    assert_string_equal(config->listen.address, "127.0.0.1");
    assert_int_equal(config->listen.port, 8008);
    assert_int_equal(config->tls.port, 0);
    assert_int_equal(config->policy.mode, POLICY_SCHOOL);
    assert_int_equal(config->registration.mode, REGISTRATION_CLOSED);
    assert_null(config->registration.shared_secret);
    assert_string_equal(config->rooms.default_version, "12");
    assert_true(config->storage.durable);
    assert_false(config->presence.enabled);
    assert_int_equal(config->rate_limits.message.burst, 30);
    assert_true(config->rate_limits.account.per_second > 0.33 && config->rate_limits.account.per_second < 0.34);
    assert_int_equal(config->http.n_trusted_proxies, 0);
    assert_string_equal(config->database_path, "/var/lib/parta/parta.db");
    config_free(config);
}

/* Clients that find the API ask for no password any more: it is there only where they can use it. */
static void oauth_is_offered_where_clients_can_use_it(void **state)
{
    static const struct {
        const char *yaml;
        bool offered;
    } CASES[] = {
        {"", false},
        {"public_baseurl: https://m.school.example\n", true},
        {"public_baseurl: https://m.school.example\noauth: {enabled: false}\n", false},
        {"public_baseurl: http://m.school.example\n", false},
        {"public_baseurl: http://m.school.example\noauth: {enabled: true}\n", false},
        {"public_baseurl: http://m.school.example\ntls: {port: 8448, certificate: a.pem, key: b.pem}\n", false},
        {"public_baseurl: http://127.0.0.1:8008\n", true},
        {"public_baseurl: http://localhost\n", true},
        {"public_baseurl: http://localhost/\n", true},
        {"public_baseurl: 'http://[::1]:8008'\n", true},
        {"public_baseurl: http://localhost.school.example\n", false},
        {"public_baseurl: http://127.0.0.10\n", false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct text yaml = TEXT_INIT;
        text_addf(&yaml, "server_name: school.example\n%s", CASES[i].yaml);
        struct config *config = load(yaml.data);
        if ((config_oauth_obstacle(config) == NULL) != CASES[i].offered)
            fail_msg("%s: %s", CASES[i].yaml, config_oauth_obstacle(config));
        config_free(config);
        text_finish(&yaml);
    }
}

static void test_every_kind(void **state)
{
    struct config *config =
        load("# a comment\n"
             "server_name: 'matrix.school.example:8448'\n"
             "public_baseurl: https://m.school.example/\n"
             "data_dir: /tmp/x/\n"
             "listen: {port: 0}\n"
             "tls:\n  address: \"::1\"\n  port: 8448\n  certificate: a.pem\n  key: b.pem\n"
             "log:\n"
             "storage:\n  durable: no\n"
             "policy:\n  mode: open\n"
             "registration:\n  mode: token\n  shared_secret: 0123456789abcdef\n"
             "http:\n  trusted_proxies:\n    - 127.0.0.1\n    - \"::1\"\n    - 10.0.0.0/8\n  body_max_bytes: 65536\n"
             "tokens:\n  session_lifetime_ms: 315360000000\n"
             "rate_limits:\n  message: off\n  login: 30/min burst 5\n  room: 7/h burst 2\n"
             "support:\n  matrix_id: null\n  email:\n");
    assert_string_equal(config->server_name, "matrix.school.example:8448");
    assert_string_equal(config->public_baseurl, "https://m.school.example");
    assert_string_equal(config->signing_key_path, "/tmp/x/signing.key");
    assert_string_equal(config->tls.address, "::1");
    assert_int_equal(config->log.level, LOG_INFO);
    assert_false(config->storage.durable);
    assert_int_equal(config->policy.mode, POLICY_OPEN);
    assert_int_equal(config->registration.mode, REGISTRATION_TOKEN);
    assert_string_equal(config->registration.shared_secret, "0123456789abcdef");
    assert_int_equal(config->http.n_trusted_proxies, 3);
    assert_string_equal(config->http.trusted_proxies[1], "::1");
    assert_int_equal(config->http.body_max_bytes, 65536);
    assert_true(config->tokens.session_lifetime_ms == INT64_C(315360000000));
    assert_true(config->rate_limits.message.per_second == 0);
    assert_true(config->rate_limits.login.per_second == 0.5);
    assert_int_equal(config->rate_limits.login.burst, 5);
    assert_null(config->support.matrix_id);
    assert_null(config->support.email);
    config_free(config);
}

/* What is printed reads back as the same configuration. */
static void test_print_reads_back(void **state)
{
    struct text first = TEXT_INIT, second = TEXT_INIT;
    struct config *config =
        load("server_name: s.example\nrate_limits: {room: 7/h burst 2, login: 30/min burst 5, read: off}\n"
             "http: {trusted_proxies: [127.0.0.1]}\nsupport: {email: 'a\"b@c'}\n");
    config_print(config, &first);
    config_free(config);
    config = load(first.data);
    config_print(config, &second);
    assert_string_equal(first.data, second.data);
    config_free(config);
    text_finish(&first);
    text_finish(&second);
}

static const struct refusal {
    const char *yaml, *says; /* the start of the problem */
} REFUSALS[] = {
    {"", "f: server_name: must be set"},
    {"server_name: s\nroster:\n  interval_s: 60\n", "f: roster.interval_s: needs roster.url"},
    {"server_name: s\nroster:\n  url: https://a\n", "f: roster: roster.url needs roster.token_url"},
    {"server_name: s\nroster: {url: 'http://a', token_url: 'https://a', client_id: a, client_secret_file: a}\n",
     "f: roster: http:// is for a source on this machine only"},
    {"server_name: s\nroster: {url: 'https://a', token_url: 'http://127.0.0.1.a', client_id: a, client_secret_file: "
     "a}\n",
     "f: roster: http:// is for a source on this machine only"},
    {"server_name: s\nroster: {url: 'https://a?b', token_url: 'https://a', client_id: a, client_secret_file: a}\n",
     "f: roster.url: must end with the path"},
    {"server_name: s\nroster:\n  source: school\n", "f:3: roster.source: must be letters"},
    {"server_name: s\nroster:\n  source: a b\n", "f:3: roster.source: must be letters"},
    {"# nothing\n", "f: server_name: must be set"},
    {"a\n", "f:1: must be settings"},
    {"- a\n", "f:1: must be settings"},
    {"server_name: s\n\nserver_nmae: s\n", "f:3: server_nmae: there is no such setting"},
    {"server_name: s\nhttp:\n  body_max_bytes: 100000\n  bdy: 1\n", "f:4: http.bdy: there is no such setting"},
    {"server_name: s\nhttp.body_max_bytes: 100000\n", "f:2: http.body_max_bytes: there is no such setting"},
    {"server_name: s\nhttp: 5\n", "f:2: http: must be a section"},
    {"server_name: s\nhttp:\n  - 5\n", "f:3: http: must be a section"},
    {"server_name:\n  a: b\n", "f:2: server_name: must be one value"},
    {"server_name: [a]\n", "f:1: server_name: must be one value"},
    {"server_name: s\nhttp:\n  trusted_proxies: 127.0.0.1\n",
     "f:3: http.trusted_proxies: must be a list, like [one, two]"},
    {"server_name: s\nhttp:\n  trusted_proxies: [[1]]\n", "f:3: http.trusted_proxies: an entry"},
    {"server_name: s\nhttp:\n  trusted_proxies: [localhost]\n", "f:3: http.trusted_proxies: must be an IPv4"},
    {"server_name: s\nhttp:\n  trusted_proxies: [10.0.0.0/33]\n", "f:3: http.trusted_proxies: the length"},
    {"server_name: s\nhttp:\n  trusted_proxies: ['::1/']\n", "f:3: http.trusted_proxies: the length"},
    {"server_name: s\nserver_name: t\n", "f:2: server_name: given twice"},
    {"server_name: s\nlisten:\n  port: 1\nlisten:\n  port: 2\n", "f:5: listen.port: given twice"},
    {"server_name: s\nlisten: {port: 1}\nlisten: {address: '::1'}\n", "f:"},
    {"server_name: &a s\ndata_dir: *a\n", "f:"},
    {"server_name: s\n---\nserver_name: t\n", "f:3: a second document"},
    {"server_name: \"s\\0t\"\n", "f:1: server_name: a control character"},
    {"server_name: s\nsms:\n  success: \"\\x7f\"\n", "f:3: sms.success: a control character"},
    {"server_name: s\nsms:\n  success: \"\\x9f\"\n", "f:3: sms.success: a control character"},
    {"server_name: s\nsms:\n  success: \"\\x1b\"\n", "f:3: sms.success: a control character"},
    {"server_name: s\nsms:\n  success: \"\\uFFFE\"\n", "f:3: sms.success: a control character"},
    {"server_name: s\n\tx: y\n", "f:2: "},
    {"server_name: s\nx: \xff\n", "f:"},
    {"server_name: s_t\n", "f:1: server_name: must be a host name"},
    {"server_name: 's:'\n", "f:1: server_name: the port"},
    {"server_name: 's:123456'\n", "f:1: server_name: the port"},
    {"server_name: '[::zz]'\n", "f:1: server_name: must be a host name"},
    {"server_name: 'https://school.example'\n", "f:1: server_name: the name alone"},
    {"server_name: school.example/\n", "f:1: server_name: the name alone"},
    {"server_name: s\npublic_baseurl: m.school.example\n", "f:2: public_baseurl: must begin with"},
    {"server_name: s\npublic_baseurl: 'https://a b'\n", "f:2: public_baseurl: no spaces"},
    {"server_name: s\nlisten:\n  address: localhost\n", "f:3: listen.address: must be an IPv4"},
    {"server_name: s\nlisten:\n  port: 65536\n", "f:3: listen.port: must be a whole number from 0 to 65535"},
    {"server_name: s\nlisten:\n  port: -1\n", "f:3: listen.port: must be a whole number"},
    {"server_name: s\nlisten:\n  port: 80a\n", "f:3: listen.port: must be a whole number"},
    {"server_name: s\nlisten:\n  port: 8.5\n", "f:3: listen.port: must be a whole number"},
    {"server_name: s\nlisten:\n  port: 99999999999999999999\n", "f:3: listen.port: must be a whole number"},
    {"server_name: s\nlisten:\n  port: eighty\n", "f:3: listen.port: must be a whole number"},
    {"server_name: s\nlisten:\n  port: 0\n", "f: listen: listen.port and tls.port are both 0"},
    {"server_name: s\ntls:\n  port: 1\n  key: k\n", "f: tls: tls.port needs"},
    {"server_name: s\nstorage:\n  durable: maybe\n", "f:3: storage.durable: must be true or false"},
    {"server_name: s\npolicy:\n  mode: closed\n", "f:3: policy.mode: must be one of school open"},
    {"server_name: s\nregistration:\n  shared_secret: short\n", "f:3: registration.shared_secret: must have 16"},
    {"server_name: s\nrooms:\n  default_version: 13\n", "f:3: rooms.default_version: must be a room version"},
    {"server_name: s\nrooms:\n  default_version: 1.2\n", "f:3: rooms.default_version: must be a room version"},
    {"server_name: s\nsupport:\n  matrix_id: me\n", "f:3: support.matrix_id: must be a Matrix ID"},
    {"server_name: s\nrate_limits:\n  login: 5\n", "f:3: rate_limits.login: must be \"off\""},
    {"server_name: s\nrate_limits:\n  login: 5/s burst 0\n", "f:3: rate_limits.login: must be \"off\""},
    {"server_name: s\nrate_limits:\n  login: 5/day burst 1\n", "f:3: rate_limits.login: must be \"off\""},
    {"server_name: s\nrate_limits:\n  login: 5/s burst 1 x\n", "f:3: rate_limits.login: must be \"off\""},
    {"server_name: s\nmail:\n  url: http://x\n", "f:3: mail.url: must be smtp://"},
    {"server_name: s\nmail:\n  url: smtp://x:y\n", "f:3: mail.url: must be smtp://"},
    {"server_name: s\nmail:\n  url: smtp://x\n", "f: mail: mail.url needs mail.from"},
    {"server_name: s\nmail:\n  from: a@b>\n", "f:3: mail.from: must be an address"},
    {"server_name: s\nmail:\n  name: \"a\\nb\"\n", "f:3: mail.name: must be one line"},
    {"server_name: s\nmail: {url: smtp://x, from: a@b, user: u}\n", "f: mail: mail.user and mail.password_file"},
    {"server_name: s\nmail: {url: smtps://x, from: a@b}\n", "f: mail.tls: smtps:// goes with tls"},
    {"server_name: s\nmail: {url: smtp://x, from: a@b, tls: tls}\n", "f: mail.tls: smtps:// goes with tls"},
    {"server_name: s\nmail: {url: smtp://x, from: a@b, tls: none}\n", "f: mail.tls: none is for a mail server on"},
    {"server_name: s\nmail: {url: smtp://localhost.x, from: a@b, tls: none}\n", "f: mail.tls: none is for a mail"},
    {"server_name: s\nsms: {url: https://x}\n", "f: sms.body: goes with POST and PUT"},
    {"server_name: s\nsms: {url: https://x, body: b}\n", "f: sms: {to} and {text} must stand in"},
    {"server_name: s\nsms: {url: http://x, body: \"{to}{text}\"}\n", "f: sms.url: http:// is for a gateway on"},
    {"server_name: s\nsms: {url: https://x, body: \"{to}{text}{secret}\"}\n", "f: sms.secret_file: goes with {secret}"},
    {"server_name: s\nsms:\n  header: \"A B: c\"\n", "f:3: sms.header: must be a header"},
    {"server_name: s\nsms:\n  header: \"A: c\\r\\nB: d\"\n", "f:3: sms.header: must be one line"},
    {"server_name: s\ncodes:\n  tries: 0\n", "f:3: codes.tries: must be a whole number from 1 to 20"},
};

static void test_refusals(void **state)
{
    for (size_t i = 0; i < sizeof REFUSALS / sizeof *REFUSALS; ++i) {
        struct config *config = NULL;
        struct text problem = TEXT_INIT;
        if (config_parse("f", REFUSALS[i].yaml, strlen(REFUSALS[i].yaml), &config, &problem))
            fail_msg("accepted: %s", REFUSALS[i].yaml);
        assert_null(config);
        if (strncmp(problem.data, REFUSALS[i].says, strlen(REFUSALS[i].says)) != 0)
            fail_msg("%s: said \"%s\", not \"%s\"", REFUSALS[i].yaml, problem.data, REFUSALS[i].says);
        text_finish(&problem);
    }
}

static void test_too_long(void **state)
{
    size_t len = 300 * 1024;
    char *yaml = malloc(len);
    struct config *config = NULL;
    struct text problem = TEXT_INIT;
    memset(yaml, '#', len);
    assert_false(config_parse("f", yaml, len, &config, &problem));
    assert_string_equal(problem.data, "f: longer than 256 KiB");
    text_finish(&problem);
    free(yaml);
}

static void test_missing_file(void **state)
{
    struct config *config = NULL;
    struct text problem = TEXT_INIT;
    assert_false(config_load("/nonexistent/parta.yaml", &config, &problem));
    assert_non_null(strstr(problem.data, "/nonexistent/parta.yaml"));
    text_finish(&problem);
}

static char *read_page(const char *relative)
{
    struct text path = TEXT_INIT;
    text_addf(&path, "%s/../%s", getenv("TESTS_DIR"), relative);
    FILE *f = fopen(path.data, "r");
    if (f == NULL)
        fail_msg("%s is missing", path.data);
    char *bytes = calloc(1, 256 * 1024);
    assert_true(fread(bytes, 1, 256 * 1024 - 1, f) > 0);
    fclose(f);
    text_finish(&path);
    return bytes;
}

/* docs/settings.md has a line for every setting. */
static void test_documented(void **state)
{
    char *page = read_page("docs/settings.md");
    for (size_t i = 0; config_setting_name(i) != NULL; ++i) {
        struct text cell = TEXT_INIT;
        text_addf(&cell, "| `%s` |", config_setting_name(i));
        if (strstr(page, cell.data) == NULL)
            fail_msg("docs/settings.md has no line for %s", config_setting_name(i));
        text_finish(&cell);
    }
    free(page);
}

/* The sample's settings that are commented out ("#name: value") are the defaults: taken in, nothing changes. */
static void test_sample(void **state)
{
    char *sample = read_page("docker/parta.yaml");
    struct text full = TEXT_INIT, by_default = TEXT_INIT, by_sample = TEXT_INIT;
    for (char *line = strtok(sample, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        size_t indent = strspn(line, " ");
        bool setting = line[indent] == '#' && line[indent + 1] >= 'a' && line[indent + 1] <= 'z';
        text_addf(&full, "%.*s%s\n", (int)indent, line, line + indent + (setting ? 1 : 0));
    }
    assert_non_null(full.data);
    for (size_t i = 0; config_setting_name(i) != NULL; ++i) {
        const char *dot = strchr(config_setting_name(i), '.');
        struct text key = TEXT_INIT;
        text_addf(&key, "%s%s:", dot != NULL ? "  " : "", dot != NULL ? dot + 1 : config_setting_name(i));
        if (strstr(full.data, key.data) == NULL)
            fail_msg("docker/parta.yaml does not show %s", config_setting_name(i));
        text_finish(&key);
    }
    struct config *config = load(full.data);
    config_print(config, &by_sample);
    struct text plain = TEXT_INIT;
    text_addf(&plain, "server_name: %s\n", config->server_name);
    config_free(config);
    config = load(plain.data);
    config_print(config, &by_default);
    assert_string_equal(by_sample.data, by_default.data);
    config_free(config);
    text_finish(&plain);
    text_finish(&full);
    text_finish(&by_sample);
    text_finish(&by_default);
    free(sample);
}

static char *scratch(void)
{
    char *directory = strdup("/tmp/parta-config-XXXXXX");
    assert_non_null(mkdtemp(directory));
    return directory;
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
}

static void test_keyfile(void **state)
{
    char *directory = scratch();
    struct text path = TEXT_INIT, problem = TEXT_INIT;
    struct signing_key made, read;
    struct stat st;
    assert_true(crypto_start());
    text_addf(&path, "%s/signing.key", directory);
    assert_true(keyfile_load(path.data, NULL, &made, &problem));
    assert_int_equal(stat(path.data, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(keyfile_load(path.data, NULL, &read, &problem));
    assert_string_equal(made.id, read.id);
    assert_memory_equal(made.secret, read.secret, sizeof made.secret);
    static const char *const BAD[] = {"", "ed25519 a_x\n", "ed25519 a-x AAAA\n", "rsa a_x AAAA\n",
                                      "ed25519 a_x AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; ++i) {
        write_file(path.data, BAD[i]);
        assert_false(keyfile_load(path.data, NULL, &read, &problem));
        assert_non_null(strstr(problem.data, "not a signing key"));
        text_clear(&problem);
    }
    unlink(path.data);
    assert_false(keyfile_load(path.data, directory, &read, &problem)); /* there was one */
    assert_non_null(strstr(problem.data, "put it back"));
    text_clear(&problem);
    write_file(path.data, "newer\n");
    assert_false(keyfile_load(path.data, directory, &read, &problem));
    text_clear(&problem);
    write_file(path.data, "new\n");
    assert_false(keyfile_load(path.data, NULL, &read, &problem));
    text_clear(&problem);
    assert_true(keyfile_load(path.data, directory, &made, &problem));
    assert_true(keyfile_load(path.data, directory, &read, &problem));
    assert_memory_equal(made.secret, read.secret, sizeof made.secret);
    unlink(path.data);
    rmdir(directory);
    assert_false(keyfile_load(path.data, NULL, &read, &problem)); /* no such directory */
    text_finish(&path);
    text_finish(&problem);
    free(directory);
}

static void test_lock(void **state)
{
    char *directory = scratch();
    struct text path = TEXT_INIT;
    text_addf(&path, "%s/parta.lock", directory);
    int lock = lock_take(path.data);
    assert_true(lock >= 0);
    assert_int_equal(lock_take(path.data), -1);
    lock_release(lock);
    lock = lock_take(path.data);
    assert_true(lock >= 0);
    lock_release(lock);
    lock_release(-1);
    unlink(path.data);
    rmdir(directory);
    assert_int_equal(lock_take(path.data), -2);
    text_finish(&path);
    free(directory);
}

/* A folder of another user's: root's for others, a made one for root. */
static void root_leaves_nothing_in_the_folder_of_another(void **state)
{
    char *directory = scratch();
    struct text owner = TEXT_INIT;
    bool root = geteuid() == 0;
    assert_true(lock_folder_is_own(directory, &owner));
    assert_true(lock_folder_is_own("/nonexistent/parta", &owner));
    assert_int_equal(owner.len, 0);
    assert_true(!root || chown(directory, 54321, 54321) == 0);
    assert_false(lock_folder_is_own(root ? directory : "/", &owner));
    assert_string_equal(owner.data, root ? "54321" : "root");
    rmdir(directory);
    text_finish(&owner);
    free(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oauth_is_offered_where_clients_can_use_it),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_every_kind),
        cmocka_unit_test(test_print_reads_back),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_missing_file),
        cmocka_unit_test(test_documented),
        cmocka_unit_test(test_sample),
        cmocka_unit_test(test_keyfile),
        cmocka_unit_test(test_lock),
        cmocka_unit_test(root_leaves_nothing_in_the_folder_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
