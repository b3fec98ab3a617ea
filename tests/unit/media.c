/* Media as clients speak of them: a real server on the loopback with the school of school_people.h, curl as the client,
 * the files on a disk. */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "client-api/routes.h"
#include "homeserver/accounts/accounts.h"
#include "homeserver/accounts/profile.h"
#include "homeserver/accounts/sessions.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/json.h"
#include "homeserver/http/credentials.h"
#include "homeserver/http/http.h"
#include "homeserver/http/server.h"
#include "homeserver/http/uia.h"
#include "homeserver/media/access.h"
#include "homeserver/media/copy.h"
#include "homeserver/media/files.h"
#include "homeserver/media/media.h"
#include "homeserver/media/opengraph.h"
#include "homeserver/media/previews.h"
#include "homeserver/media/scan.h"
#include "homeserver/media/thumbnailer/confine.h"
#include "homeserver/media/thumbnailer/picture.h"
#include "homeserver/media/thumbnails.h"
#include "homeserver/media/upkeep.h"
#include "homeserver/media/upload.h"
#include "homeserver/outgoing/curl_library.h"
#include "homeserver/outgoing/outgoing.h"
#include "homeserver/store/driver/backup.h"
#include "homeserver/store/driver/schema.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/profiles.h"
#include "homeserver/store/matrix/tokens.h"
#include "homeserver/store/school/reports.h"
#include "homeserver/sync/hub.h"
#include "policy/rules/media_share.h"
#include "tests/unit/client_request.h"
#include "tests/unit/http_service.h"
#include "tests/unit/school_people.h"

#define UPLOAD "/_matrix/media/v3/upload"
#define CREATE "/_matrix/media/v1/create"
#define MEDIA "/_matrix/client/v1/media"
#define LARGE (3 << 20) /* beyond what is read into memory */

static struct {
    struct school_people s;
    char dir[96];
    struct config *config;
    struct media media;
    struct media_upkeep upkeep;
    struct server server;
    struct http *http;
    CURL *curl;
} t;

/* To the last request. */
static struct {
    long status;
    struct text head, body;
} got;

static int64_t ahead_ms; /* the clock that everything asks is this file's own (linked with --wrap) */
int64_t right_clock_ms(void) __asm__("__real_clock_wall_ms");
int64_t wrong_clock_ms(void) __asm__("__wrap_clock_wall_ms");
int64_t wrong_clock_ms(void)
{
    return right_clock_ms() + ahead_ms;
}

static bool put_sessions(struct tx *tx, void *arg, struct error *e)
{
    bool good = true;
    fixture_acts(tx);
    for (int i = 0; i < PEOPLE && good; ++i) {
        unsigned char hash[TOKEN_HASH_BYTES];
        device_no device = devices_insert(tx, t.s.them[i], "TEST", NULL, NULL);
        token_hash(THEM[i].name, hash);
        good = device != 0 && tokens_insert(tx, TOKEN_ACCESS, device, hash, NULL, 0);
    }
    return good;
}

static bool profile_changed(void *self, struct tx *tx, user_no user, struct error *e)
{
    membership_profile_changed(self, tx, user, user);
    return true;
}

static void open_media(void)
{
    t.media = (struct media){
        .files = media_files_open(t.dir), .writer = t.s.f.writer, .server_name = "school.example", .school_mode = true};
    assert_non_null(t.media.files);
    t.media.thumbnails = thumbnails_create(t.media.files, getenv("PARTA_THUMBNAIL"));
    t.upkeep = (struct media_upkeep){.media = &t.media};
}

static int start(void **state)
{
    static const char YAML[] = "server_name: school.example\npasswords: {ops: 1, memory_kib: 8}\n";
    static const struct http_listen LISTEN[] = {{"127.0.0.1", 0, false}};
    static const struct limit NONE[RATE__COUNT] = {{0}};
    static const struct credential_kind *const CREDENTIALS[] = {&SESSION_CREDENTIAL, NULL};
    struct text problem = TEXT_INIT;
    struct error e;
    memset(&t, 0, sizeof t);
    school_people_start(&t.s);
    rooms_add_hook(t.s.f.rooms, media_note, t.s.f.rooms);
    snprintf(t.dir, sizeof t.dir, "%s/media", t.s.f.dir);
    open_media();
    assert_true(writer_run(t.s.f.writer, put_sessions, NULL, &e));
    assert_true(config_parse("test", YAML, strlen(YAML), &t.config, &problem));
    t.server = (struct server){
        .credentials = CREDENTIALS,
        .config = t.config,
        .writer = t.s.f.writer,
        .names = t.s.f.names,
        .key = &t.s.f.key,
        .rooms = t.s.f.rooms,
        .accounts = accounts_create(t.config, t.s.f.writer, t.s.f.names),
        .sessions = sessions_create("school.example", 100),
        .hub = hub_create(0),
        .limits = limits_create(NONE, 1000),
        .uia = uia_create(100),
        .media = &t.media,
    };
    t.server.accounts->hooks = (struct accounts_hooks){.self = t.s.f.rooms, .profile_changed = profile_changed};
    sessions_set_writer(t.server.sessions, t.s.f.writer);
    writer_observe(t.s.f.writer, sessions_observe, t.server.sessions);
    struct http_settings http = {.listen = LISTEN,
                                 .n_listen = 1,
                                 .loops = 1,
                                 .workers = 2,
                                 .hashers = 1,
                                 .uploads_of_one = 4,
                                 .spool_dir = media_files_incoming(t.media.files),
                                 .db_path = t.s.f.path};
    t.http = http_start(&http, &t.server, CLIENT_API_ROUTES, CLIENT_API_ROUTES_COUNT);
    assert_non_null(t.http);
    assert_true(curl_library_load());
    return 0;
}

static bool every(void *arg, const unsigned char hash[SHA256_BYTES])
{
    return false;
}

static int stop(void **state)
{
    static const _Atomic bool GO_ON = false;
    char path[160];
    if (t.curl != NULL)
        curl_easy_cleanup(t.curl);
    text_finish(&got.head);
    text_finish(&got.body);
    http_stop(t.http);
    http_destroy(t.http);
    hub_destroy(t.server.hub);
    accounts_destroy(t.server.accounts);
    limits_destroy(t.server.limits);
    uia_destroy(t.server.uia);
    media_files_sweep(t.media.files, every, NULL, &GO_ON);
    thumbnails_destroy(t.media.thumbnails);
    media_files_close(t.media.files);
    static const char *const FOLDERS[] = {"incoming", "content", "thumbnails"};
    for (int f = 0; f < 3; ++f) {
        for (int i = 0; i < 256; ++i) {
            snprintf(path, sizeof path, "%s/%s/%02x", t.dir, FOLDERS[f], i);
            rmdir(path);
        }
        snprintf(path, sizeof path, "%s/%s", t.dir, FOLDERS[f]);
        rmdir(path);
    }
    rmdir(t.dir);
    school_people_stop(&t.s);
    sessions_destroy(t.server.sessions);
    config_free(t.config);
    return 0;
}

static bool job_forget(struct tx *tx, void *arg, struct error *e)
{
    return media_forget_of(tx, *(user_no *)arg);
}

/* --- A client --- */

/* who −1: nobody. header: one more, NULL: none; each by a connection of its own. What came is in got. */
static long ask(const char *method, const char *path, int who, const char *header, const char *body, size_t len)
{
    const struct client_request request = {.method = method,
                                           .path = path,
                                           .token = who >= 0 ? THEM[who].name : NULL,
                                           .type = "",
                                           .more = header,
                                           .body = body != NULL && len == 0 ? "" : body,
                                           .len = len};
    text_clear(&got.head);
    text_clear(&got.body);
    if (t.curl != NULL)
        curl_easy_cleanup(t.curl);
    t.curl = curl_easy_init();
    got.status = client_request_send(t.curl, http_port(t.http, 0), &request, &got.body, &got.head);
    assert_true(got.status != 0);
    return got.status;
}

static json_t *reply(void)
{
    struct error e;
    json_t *value = json_parse(got.body.data != NULL ? got.body.data : "", got.body.len, &e);
    assert_non_null(value);
    return value;
}

static void expect(const char *method, const char *path, int who, const char *body, long status, const char *errcode)
{
    long is = ask(method, path, who, NULL, body, body != NULL ? strlen(body) : 0);
    json_auto_t *value = reply();
    const char *code = json_get_string(value, "errcode");
    if (is != status || strcmp(code != NULL ? code : "", errcode) != 0)
        fail_msg("%s %s: wanted %ld %s, got %ld %s", method, path, status, errcode, is, got.body.data);
}

/* The value of a header of the last reply; heap, NULL: there is none. */
static char *header(const char *name)
{
    size_t len = strlen(name);
    for (const char *line = got.head.data; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncasecmp(line, name, len) == 0 && strncmp(line + len, ": ", 2) == 0)
            return xstrndup(line + len + 2, strcspn(line + len + 2, "\r\n"));
    }
    return NULL;
}

static void expect_header(const char *name, const char *value)
{
    char *is = header(name);
    if ((is == NULL) != (value == NULL) || (is != NULL && strcmp(is, value) != 0))
        fail_msg("%s: wanted \"%s\", got \"%s\"", name, value != NULL ? value : "(none)", is != NULL ? is : "(none)");
    free(is);
}

/* Uploads; the id of it, heap. */
static char *upload_as(int who, const char *type, const char *query, const char *body, size_t len)
{
    struct text path = TEXT_INIT, header_line = TEXT_INIT;
    text_addf(&path, UPLOAD "%s", query);
    text_addf(&header_line, "Content-Type: %s", type);
    ask("POST", path.data, who, header_line.data, body, len);
    text_finish(&path);
    text_finish(&header_line);
    if (got.status != 200)
        fail_msg("upload: %ld %s", got.status, got.body.data);
    json_auto_t *value = reply();
    const char *id = media_id_of(json_get_string(value, "content_uri"), "school.example");
    assert_non_null(id);
    return xstrdup(id);
}

static char *upload(int who, const char *body)
{
    return upload_as(who, "image/png", "", body, strlen(body));
}

static long download(int who, const char *id)
{
    struct text path = TEXT_INIT;
    text_addf(&path, MEDIA "/download/school.example/%s", id);
    long status = ask("GET", path.data, who, NULL, NULL, 0);
    text_finish(&path);
    return status;
}

static int64_t n_files(const char *folder)
{
    char path[160];
    int64_t n = 0;
    for (int i = 0; i < 256; ++i) {
        snprintf(path, sizeof path, "%s/%s/%02x", t.dir, folder, i);
        DIR *dir = opendir(path);
        for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
            n += entry->d_name[0] != '.';
        if (dir != NULL) /* made with the first file in it */
            closedir(dir);
    }
    return n;
}

static enum job_outcome upkeep(void)
{
    static const _Atomic bool GO_ON = false;
    return media_upkeep_run(&t.upkeep, &GO_ON);
}

static char *bytes_of(size_t n, int seed)
{
    char *bytes = xcalloc(n, 1);
    uint32_t x = 2463534242u + (uint32_t)seed;
    for (size_t i = 0; i < n; ++i) {
        x ^= x << 13, x ^= x >> 17, x ^= x << 5;
        bytes[i] = (char)x;
    }
    return bytes;
}

/* A club that T1 has made, with P1 and P2. */
static room_no club(const char *encryption)
{
    static const enum who THEY[] = {P1, P2};
    struct error e;
    room_no room = fixture_create(
        &t.s.f, &(struct room_plan){t.s.them[T1], room_version_get("12"), PRESET_PRIVATE_CHAT, .name = "Club"}, &e);
    assert_true(room != 0);
    if (encryption != NULL)
        assert_true(fixture_send(&t.s.f, room, t.s.them[T1], "m.room.encryption", "", encryption, NULL, NULL, &e));
    for (int i = 0; i < 2; ++i) {
        assert_true(fixture_member(&t.s.f, room, ACT_INVITE, t.s.them[T1], t.s.them[THEY[i]], &e));
        assert_true(fixture_member(&t.s.f, room, ACT_JOIN, t.s.them[THEY[i]], t.s.them[THEY[i]], &e));
    }
    return room;
}

static char *say(room_no room, enum who who, const char *type, const char *key, const char *id)
{
    struct text content = TEXT_INIT;
    struct appended out;
    struct error e = {0};
    text_addf(&content, "{\"%s\":\"mxc://school.example/%s\"}", key, id);
    bool done = fixture_send(&t.s.f, room, t.s.them[who], type, strcmp(type, "m.room.avatar") == 0 ? "" : NULL,
                             content.data, NULL, &out, &e);
    text_finish(&content);
    return done ? xstrdup(out.event_id) : NULL;
}

/* --- Up and down --- */

static void what_comes_up_comes_down(void **state)
{
    static const size_t SIZES[] = {0, 1, 4096, (1 << 20), (1 << 20) + 1, LARGE};
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; ++i) {
        char *bytes = bytes_of(SIZES[i], (int)i);
        char *id = upload_as(T1, "video/mp4", "?filename=film.mp4", bytes, SIZES[i]);
        assert_int_equal(download(T1, id), 200);
        assert_int_equal(got.body.len, SIZES[i]);
        assert_true(SIZES[i] == 0 || memcmp(got.body.data, bytes, SIZES[i]) == 0);
        expect_header("content-type", "video/mp4");
        expect_header("content-disposition", "inline; filename=\"film.mp4\"");
        free(id);
        free(bytes);
    }
    assert_int_equal(n_files("content"), sizeof SIZES / sizeof *SIZES);
}

static void each_content_lies_there_once(void **state)
{
    char *bytes = bytes_of(LARGE, 99);
    char *one = upload_as(T1, "image/png", "", bytes, LARGE), *two = upload_as(P1, "image/jpeg", "", bytes, LARGE);
    int64_t n = n_files("content");
    char *small = upload(T1, "same"), *again = upload(T2, "same");
    assert_string_not_equal(one, two);
    assert_int_equal(n_files("content"), n + 1);
    assert_int_equal(download(P1, one), 404); /* to have the same is not to see another's */
    assert_int_equal(download(P1, two), 200);
    free(one), free(two), free(small), free(again), free(bytes);
}

static void created_then_filled(void **state)
{
    struct text path = TEXT_INIT;
    expect("POST", CREATE, P1, "", 200, "");
    json_auto_t *value = reply();
    const char *id = media_id_of(json_get_string(value, "content_uri"), "school.example");
    assert_true(json_integer_value(json_object_get(value, "unused_expires_at")) > clock_wall_ms() + 23 * HOUR_MS);
    text_addf(&path, UPLOAD "/school.example/%s", id);
    assert_int_equal(download(P1, id), 504);
    expect("PUT", path.data, P2, "mine", 403, "M_FORBIDDEN");
    expect("PUT", UPLOAD "/other.example/abc", P1, "x", 404, "M_NOT_FOUND");
    expect("PUT", UPLOAD "/school.example/abc", P1, "x", 404, "M_NOT_FOUND");
    expect("PUT", path.data, P1, "words", 200, "");
    expect("PUT", path.data, P1, "others", 409, "M_CANNOT_OVERWRITE_MEDIA");
    assert_int_equal(download(P1, id), 200);
    assert_memory_equal(got.body.data, "words", 5);
    text_finish(&path);
}

static void so_many_are_only_created(void **state)
{
    for (int i = 0; i < MEDIA_PENDING_MAX; ++i)
        expect("POST", CREATE, P2, "{}", 200, "");
    json_auto_t *value = reply();
    expect("POST", CREATE, P2, "{}", 429, "M_LIMIT_EXCEEDED");
    ahead_ms = 25 * HOUR_MS; /* those are too late */
    struct text path = TEXT_INIT;
    text_addf(&path, UPLOAD "/school.example/%s", media_id_of(json_get_string(value, "content_uri"), "school.example"));
    expect("PUT", path.data, P2, "late", 404, "M_NOT_FOUND");
    expect("POST", CREATE, P2, "{}", 200, "");
    assert_int_equal(upkeep(), JOB_DONE);
    assert_int_equal(media_count(t.s.f.db, t.s.them[P2]), 1);
    ahead_ms = 0;
    text_finish(&path);
}

/* --- Headers --- */

static void types_and_names(void **state)
{
    static const struct {
        const char *type, *query, *is_type, *disposition;
    } CASES[] = {
        {"image/png", "?filename=a.png", "image/png", "inline; filename=\"a.png\""},
        {"IMAGE/PNG", "", "IMAGE/PNG", "inline"},
        {"text/plain; charset=utf-8", "", "text/plain; charset=utf-8", "inline"},
        {"image/svg+xml", "?filename=a.svg", "image/svg+xml", "attachment; filename=\"a.svg\""},
        {"text/html", "?filename=a.html", "text/html", "attachment; filename=\"a.html\""},
        {"application/xhtml+xml", "", "application/xhtml+xml", "attachment"},
        {"application/pdf", "?filename=a", "application/pdf", "attachment; filename=\"a\""},
        {"text/javascript", "", "text/javascript", "attachment"},
        {"image/pngx", "", "image/pngx", "attachment"},
        {"image", "", "application/octet-stream", "attachment"},
        {"text/html,image/png", "", "application/octet-stream", "attachment"},
        {"image/png", "?filename=../../etc/passwd", "image/png", "inline; filename=\"passwd\""},
        {"image/png", "?filename=..%5C..%5Cboot.ini", "image/png", "inline; filename=\"boot.ini\""},
        {"image/png", "?filename=..", "image/png", "inline"},
        {"image/png", "?filename=", "image/png", "inline"},
        {"image/png", "?filename=a%22b.png", "image/png", "inline; filename*=utf-8''a%22b.png"},
        {"image/png", "?filename=a%0D%0Aset-cookie:%20b", "image/png", "inline"},
        {"image/png", "?filename=%D1%8F.png", "image/png", "inline; filename*=utf-8''%D1%8F.png"},
        {"image/png", "?filename=gnp%E2%80%AEexe", "image/png", "inline"}, /* turns the direction */
        {"image/png", "?filename=a%3Bb", "image/png", "inline; filename*=utf-8''a%3Bb"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        char *id = upload_as(T1, CASES[i].type, CASES[i].query, "<script>alert(1)</script>", 25);
        assert_int_equal(download(T1, id), 200);
        expect_header("content-type", CASES[i].is_type);
        expect_header("content-disposition", CASES[i].disposition);
        expect_header("x-content-type-options", "nosniff");
        expect_header("cross-origin-resource-policy", "cross-origin");
        expect_header("content-security-policy",
                      "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; style-src "
                      "'unsafe-inline'; object-src 'self';");
        expect_header("set-cookie", NULL);
        free(id);
    }
    char *id = upload(T1, "named anew");
    struct text path = TEXT_INIT;
    text_addf(&path, MEDIA "/download/school.example/%s/..%%2F%%D1%%8F.txt", id);
    assert_int_equal(ask("GET", path.data, T1, NULL, NULL, 0), 200);
    expect_header("content-disposition", "inline; filename*=utf-8''%D1%8F.txt");
    text_finish(&path);
    free(id);
}

static void parts_of_it(void **state)
{
    static const struct {
        const char *header;
        long status;
        const char *range;
        size_t len;
    } CASES[] = {
        {"Range: bytes=0-9", 206, "bytes 0-9/3145728", 10},
        {"Range: bytes=3145720-", 206, "bytes 3145720-3145727/3145728", 8},
        {"Range: bytes=-8", 206, "bytes 3145720-3145727/3145728", 8},
        {"Range: bytes=3145727-99999999999999999999", 206, "bytes 3145727-3145727/3145728", 1},
        {"Range: bytes=3145728-", 416, "bytes */3145728", 0},
        {"Range: bytes=-0", 416, "bytes */3145728", 0},
        {"Range: bytes=0-1,5-6", 200, NULL, LARGE},
        {"Range: bytes=9-1", 200, NULL, LARGE},
        {"Range: lines=1-2", 200, NULL, LARGE},
    };
    char *bytes = bytes_of(LARGE, 7), *id = upload_as(T1, "video/mp4", "", bytes, LARGE);
    struct text path = TEXT_INIT, if_range = TEXT_INIT;
    text_addf(&path, MEDIA "/download/school.example/%s", id);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        assert_int_equal(ask("GET", path.data, T1, CASES[i].header, NULL, 0), CASES[i].status);
        expect_header("content-range", CASES[i].range);
        size_t from = CASES[i].range != NULL && CASES[i].status == 206 ? strtoul(CASES[i].range + 6, NULL, 10) : 0;
        if (CASES[i].status != 416)
            assert_true(got.body.len == CASES[i].len && memcmp(got.body.data, bytes + from, CASES[i].len) == 0);
    }
    assert_int_equal(ask("HEAD", path.data, T1, NULL, NULL, 0), 200);
    expect_header("content-length", "3145728");
    expect_header("accept-ranges", "bytes");
    text_finish(&path);
    text_finish(&if_range);
    free(bytes), free(id);
}

static void what_there_is_not(void **state)
{
    char *id = upload(T1, "frozen");
    struct text legacy = TEXT_INIT, legacy_thumbnail = TEXT_INIT, thumbnail = TEXT_INIT;
    text_addf(&legacy, "/_matrix/media/v3/download/school.example/%s", id);
    text_addf(&legacy_thumbnail, "/_matrix/media/v3/thumbnail/school.example/%s?width=1&height=1", id);
    text_addf(&thumbnail, MEDIA "/thumbnail/school.example/%s", id);
    const struct {
        const char *method, *path;
        int who;
        long status;
        const char *errcode;
    } CASES[] = {
        {"GET", legacy.data, -1, 404, "M_NOT_FOUND"},
        {"GET", legacy.data, T1, 404, "M_NOT_FOUND"},
        {"GET", legacy_thumbnail.data, T1, 404, "M_NOT_FOUND"},
        {"GET", "/_matrix/media/v3/preview_url?url=http://127.0.0.1/", -1, 404, "M_NOT_FOUND"},
        {"GET", MEDIA "/preview_url?url=http://127.0.0.1/", T1, 200, ""},
        {"GET", MEDIA "/preview_url?url=http://127.0.0.1/", -1, 401, "M_MISSING_TOKEN"},
        {"GET", MEDIA "/download/school.example/x", -1, 401, "M_MISSING_TOKEN"},
        {"GET", MEDIA "/config", -1, 401, "M_MISSING_TOKEN"},
        {"POST", UPLOAD, -1, 401, "M_MISSING_TOKEN"},
        {"POST", CREATE, -1, 401, "M_MISSING_TOKEN"},
        {"GET", MEDIA "/download/school.example/..%2F..%2Fparta.db", T1, 404, "M_NOT_FOUND"},
        {"GET", MEDIA "/download/other.example/abc", T1, 404, "M_NOT_FOUND"},
        {"GET", MEDIA "/download/..%2F..%2Fetc/passwd", T1, 404, "M_NOT_FOUND"},
        {"GET", thumbnail.data, T1, 400, "M_MISSING_PARAM"},
        {"GET", MEDIA "/thumbnail/school.example/x?width=-1&height=5", T1, 400, "M_INVALID_PARAM"},
        {"GET", MEDIA "/thumbnail/school.example/x?width=a&height=5", T1, 400, "M_INVALID_PARAM"},
        {"GET", MEDIA "/thumbnail/school.example/x?width=5&height=5", T1, 404, "M_NOT_FOUND"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i)
        expect(CASES[i].method, CASES[i].path, CASES[i].who, NULL, CASES[i].status, CASES[i].errcode);
    text_finish(&legacy), text_finish(&legacy_thumbnail), text_finish(&thumbnail);
    free(id);
}

/* --- Thumbnails --- */

/* A file of tests/fuzz/corpus/picture; heap. */
static char *picture(const char *name, size_t *len)
{
    char path[512], *bytes = xcalloc(1 << 16, 1);
    snprintf(path, sizeof path, "%s/fuzz/corpus/picture/%s", getenv("TESTS_DIR"), name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("no %s", path);
    *len = fread(bytes, 1, 1 << 16, file);
    fclose(file);
    return bytes;
}

static char *upload_picture(const char *name, const char *type)
{
    size_t len;
    char *bytes = picture(name, &len), *id = upload_as(T1, type, "", bytes, len);
    free(bytes);
    return id;
}

static long thumbnail(int who, const char *id, const char *query)
{
    struct text path = TEXT_INIT;
    text_addf(&path, MEDIA "/thumbnail/school.example/%s?%s", id, query);
    long status = ask("GET", path.data, who, NULL, NULL, 0);
    text_finish(&path);
    return status;
}

/* Of a JPEG (its frame header) or a PNG. */
static void size_of_reply(int *width, int *height)
{
    const unsigned char *at = (const unsigned char *)got.body.data;
    *width = *height = 0;
    if (got.body.len > 24 && at[0] == 0x89) {
        *width = at[18] << 8 | at[19];
        *height = at[22] << 8 | at[23];
    }
    for (size_t i = 2; at[0] == 0xff && i + 9 < got.body.len && *width == 0;
         i += 2 + (size_t)(at[i + 2] << 8 | at[i + 3]))
        if (at[i + 1] == 0xc0 || at[i + 1] == 0xc2) {
            *height = at[i + 5] << 8 | at[i + 6];
            *width = at[i + 7] << 8 | at[i + 8];
        }
}

static void pictures_are_made_smaller(void **state)
{
    static const struct {
        const char *name, *type, *query, *is_type;
        int width, height;
    } CASES[] = {
        {"baseline.jpg", "image/jpeg", "width=32&height=32&method=crop", "image/jpeg", 32, 32},
        {"baseline.jpg", "image/jpeg", "width=1&height=1&method=crop", "image/jpeg", 32, 32},
        {"progressive.jpg", "image/jpeg", "width=32&height=32&method=crop", "image/jpeg", 32, 32},
        {"gray.jpg", "image/jpeg", "width=32&height=32&method=crop", "image/jpeg", 32, 32},
        {"turned.jpg", "image/jpeg", "width=32&height=32&method=crop", "image/jpeg", 32, 32},
        {"rgb.png", "image/png", "width=32&height=32&method=crop", "image/jpeg", 32, 32},
        {"rgba.png", "image/png", "width=32&height=32&method=crop", "image/png", 32, 32},
        {"interlaced.png", "image/png", "width=32&height=32&method=crop", "image/png", 32, 32},
        {"palette.png", "image/png", "width=32&height=32&method=crop", "image/jpeg", 32, 32},
        {"lossy.webp", "image/webp", "width=32&height=32&method=crop", "image/jpeg", 32, 32},
        {"lossless.webp", "image/webp", "width=32&height=32&method=crop", "image/png", 32, 32},
        {"still.gif", "image/gif", "width=32&height=32&method=crop", "image/jpeg", 32, 32},
        {"baseline.jpg", "image/jpeg", "width=96&height=96&method=crop", "image/jpeg", 80, 60}, /* never larger */
        {"baseline.jpg", "image/jpeg", "width=800&height=600", "image/jpeg", 80, 60},
        {"still.gif", "image/gif", "width=32&height=32&method=crop&animated=true", "image/gif", 0, 0},
        {"lossy.webp", "image/webp", "width=32&height=32&method=crop&animated=true", "image/jpeg", 32, 32},
        {"moving.gif", "image/gif", "width=96&height=96&animated=true", "image/png", 96, 72},
        {"moving.gif", "image/gif", "width=32&height=32&method=crop&animated=true", "image/png", 96, 72},
        {"moving.gif", "image/gif", "width=320&height=240&animated=true", "image/gif", 0, 0}, /* never larger */
        {"moving.gif", "image/gif", "width=32&height=32&method=crop", "image/jpeg", 32, 32},
        {"baseline.jpg", "image/avif", "width=32&height=32&method=crop", "image/jpeg", 32, 32}, /* what it is counts */
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        int width, height;
        char *id = upload_picture(CASES[i].name, CASES[i].type);
        for (int twice = 0; twice < 2; ++twice) {
            if (thumbnail(T1, id, CASES[i].query) != 200)
                fail_msg("%s: %ld %s", CASES[i].name, got.status, got.body.data);
            expect_header("content-type", CASES[i].is_type);
            expect_header("x-content-type-options", "nosniff");
            size_of_reply(&width, &height);
            if (width != CASES[i].width || height != CASES[i].height)
                fail_msg("%s?%s: %d x %d", CASES[i].name, CASES[i].query, width, height);
        }
        assert_int_equal(thumbnail(P3, id, CASES[i].query), 404);
        free(id);
    }
}

/* A GIF of so many frames, each a pixel. */
static void add_gif(struct text *out, int width, int height, int frames)
{
    static const char FRAME[] = "\x21\xf9\x04\0\x0a\0\0\0\x2c\0\0\0\0\1\0\1\0\0\2\2\x44\1";
    const char head[] = {
        'G', 'I', 'F', '8', '9', 'a', (char)width, (char)(width >> 8), (char)height, (char)(height >> 8)};
    text_clear(out);
    text_add(out, head, sizeof head);
    text_add(out, "\x80\0\0\xff\0\0\0\0\xff", 9);
    for (int i = 0; i < frames; ++i)
        text_add(out, FRAME, sizeof FRAME); /* with the NUL that ends it */
    text_addc(out, ';');
}

static void what_moves_is_bounded(void **state)
{
    static const struct {
        int width, height, frames;
        enum picture_outcome outcome;
    } CASES[] = {
        {100, 100, 2, PICTURE_MADE},
        {100, 100, 1, PICTURE_NONE}, /* it does not move */
        {100, 100, 0, PICTURE_NONE},
        {40, 30, 2, PICTURE_SMALL},
        {100, 100, ANIMATION_FRAMES_MAX, PICTURE_MADE},
        {100, 100, ANIMATION_FRAMES_MAX + 1, PICTURE_TOO_LARGE},
        {4000, 4000, 20, PICTURE_TOO_LARGE}, /* of all together */
        {32000, 32000, 2, PICTURE_TOO_LARGE},
    };
    const struct picture_wish wish = {40, 30, false};
    struct text gif = TEXT_INIT;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        int fd = memfd_create("animation", MFD_CLOEXEC);
        unsigned char head[45] = {0};
        add_gif(&gif, CASES[i].width, CASES[i].height, CASES[i].frames);
        enum picture_outcome outcome = picture_animate((const unsigned char *)gif.data, gif.len, &wish, fd);
        if (outcome != CASES[i].outcome)
            fail_msg("%zu: %d", i, outcome);
        if (outcome == PICTURE_MADE) {
            assert_int_equal(pread(fd, head, sizeof head, 0), sizeof head);
            assert_memory_equal(head + 37, "acTL", 4);
            assert_int_equal(head[43] << 8 | head[44], CASES[i].frames);
        }
        close(fd);
    }
    text_finish(&gif);
}

/* What a broken or hostile picture comes to; it is tried once. */
static void pictures_that_are_none(void **state)
{
    static const unsigned char HUGE[] =
        "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xc3\x50\0\0\xc3\x50\x08\x06\0\0\0\x8a\xe9\xaf\xe2";
    static const struct {
        const char *type, *bytes;
        size_t len;
        long status;
        const char *errcode;
    } CASES[] = {
        {"image/png", (const char *)HUGE, sizeof HUGE - 1, 413, "M_TOO_LARGE"},
        {"image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", 57, 400, "M_UNKNOWN"},
        {"text/html", "<html>", 6, 400, "M_UNKNOWN"},
        {"image/heic", "ftypheic", 8, 400, "M_UNKNOWN"},
        {"video/mp4", "ftypmp42", 8, 400, "M_UNKNOWN"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        char *id = upload_as(T1, CASES[i].type, "", CASES[i].bytes, CASES[i].len);
        for (int twice = 0; twice < 2; ++twice) {
            assert_int_equal(thumbnail(T1, id, "width=32&height=32&method=crop"), CASES[i].status);
            json_auto_t *told = reply();
            assert_string_equal(json_get_string(told, "errcode"), CASES[i].errcode);
        }
        free(id);
    }
    size_t len;
    char *bytes = picture("rgb.png", &len); /* ends early: the small original is shown */
    char *half = upload_as(T1, "image/png", "", bytes, len / 2);
    assert_int_equal(thumbnail(T1, half, "width=32&height=32&method=crop"), 200);
    assert_int_equal(got.body.len, len / 2);
    assert_int_equal(thumbnail(T1, half, "width=32&height=32&method=fill"), 400);
    free(half), free(bytes);
}

static void each_thumbnail_is_made_once_and_goes(void **state)
{
    struct error e;
    char *one = upload_picture("rgb.png", "image/png"), *two = upload_picture("rgb.png", "image/png");
    thumbnail(T1, one, "width=32&height=32&method=crop");
    thumbnail(T1, two, "width=20&height=20&method=crop");
    assert_int_equal(n_files("thumbnails"), 1);
    assert_int_equal(upkeep(), JOB_DONE);
    assert_int_equal(n_files("thumbnails"), 1);
    assert_true(writer_run(t.s.f.writer, job_forget, &t.s.them[T1], &e));
    assert_int_equal(upkeep(), JOB_DONE);
    assert_int_equal(n_files("thumbnails"), 0);
    free(one), free(two);
}

/* What runs beside a hostile picture can do nothing: each of these by its own process, as the last thing it does. */
static bool opens(void)
{
    return open("/etc/passwd", O_RDONLY) >= 0;
}
static bool creates(void)
{
    return open("/tmp/parta-thumbnail-was-here", O_WRONLY | O_CREAT, 0600) >= 0;
}
static bool connects(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) >= 0 || socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
}
static bool forks(void)
{
    return fork() >= 0;
}
static bool runs(void)
{
    char *argv[] = {"/bin/true", NULL};
    return execv(argv[0], argv) == 0;
}
static bool runs_memory(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}
static bool kills(void)
{
    return kill(getppid(), 0) == 0;
}
static bool reads_others(void)
{
    return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0;
}

static void a_decoder_is_alone(void **state)
{
    static bool (*const DEEDS[])(void) = {opens, creates, connects, forks, runs, runs_memory, kills, reads_others};
    for (size_t i = 0; i < sizeof DEEDS / sizeof *DEEDS; ++i) {
        int status = -1;
        pid_t pid = fork();
        if (pid == 0)
            _exit(!confine() ? 3 : DEEDS[i]() ? 2 : 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            fail_msg("deed %zu: %x", i, (unsigned)status);
    }
}

/* --- Uploads that do not come whole --- */

static void half_an_upload_leaves_nothing(void **state)
{
    static const struct {
        size_t said, sent;
    } CASES[] = {{LARGE, 1}, {LARGE, LARGE - 1}, {100, 99}};
    char *bytes = bytes_of(LARGE, 21);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)http_port(t.http, 0)),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        struct text head = TEXT_INIT;
        int sock = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(sock, (const struct sockaddr *)&address, sizeof address), 0);
        text_addf(&head,
                  "POST " UPLOAD " HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nContent-Length: %zu\r\n\r\n",
                  THEM[T1].name, CASES[i].said);
        assert_int_equal(send(sock, head.data, head.len, 0), head.len);
        for (size_t at = 0, n; at < CASES[i].sent; at += n)
            assert_true((n = (size_t)send(sock, bytes + at, CASES[i].sent - at, 0)) <= LARGE);
        close(sock);
        text_finish(&head);
    }
    free(upload(T1, "whole")); /* the server has gone on */
    assert_int_equal(n_files("content"), 1);
    assert_int_equal(media_count(t.s.f.db, t.s.them[T1]), 1);
    DIR *incoming = opendir(media_files_incoming(t.media.files));
    for (const struct dirent *entry; (entry = readdir(incoming)) != NULL;)
        assert_true(entry->d_name[0] == '.');
    closedir(incoming);
    free(bytes);
}

/* --- Who may see it --- */

static void only_who_sees_where_it_was_sent(void **state)
{
    struct error e;
    room_no room = club(NULL);
    char *id = upload(T1, "homework");
    static const struct {
        enum who who;
        long before, after;
    } CASES[] = {{T1, 200, 200}, {P1, 404, 200}, {P2, 404, 200}, {P3, 404, 404}, {T2, 404, 404}, {XP, 404, 404}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i)
        assert_int_equal(download(CASES[i].who, id), CASES[i].before);
    char *event = say(room, T1, "m.room.message", "url", id);
    assert_non_null(event);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i)
        assert_int_equal(download(CASES[i].who, id), CASES[i].after);
    /* Who has left sees what they saw, and nothing that came after. */
    assert_true(fixture_member(&t.s.f, room, ACT_LEAVE, t.s.them[P2], t.s.them[P2], &e));
    char *later = upload(T1, "later");
    free(say(room, T1, "m.room.message", "url", later));
    assert_int_equal(download(P2, id), 200);
    assert_int_equal(download(P2, later), 404);
    assert_int_equal(download(P1, later), 200);
    free(event), free(id), free(later);
}

static void to_know_an_address_opens_nothing(void **state)
{
    struct error e;
    room_no room = club(NULL);
    char *secret = upload(HEAD, "secret");
    free(say(room, P1, "m.room.message", "url", secret)); /* said, and nothing granted */
    assert_int_equal(download(P1, secret), 404);
    assert_int_equal(download(P2, secret), 404);
    json_auto_t *uri = json_sprintf("mxc://school.example/%s", secret);
    assert_false(profile_set(t.server.accounts, t.s.them[P1], "avatar_url", uri, &e));
    assert_string_equal(e.rule, "F1");
    /* Who may see it passes it on. */
    char *picture = upload(T1, "picture");
    free(say(room, T1, "m.room.message", "url", picture));
    room_no other = club(NULL);
    char *left = say(other, P1, "m.room.message", "url", picture);
    assert_non_null(left);
    assert_int_equal(download(P2, picture), 200);
    /* In a text, a thumbnail, anywhere in it. */
    char *deep = upload(T1, "deep");
    struct text content = TEXT_INIT;
    text_addf(
        &content,
        "{\"body\":\"x\",\"info\":{\"thumbnail_file\":{\"url\":\"mxc://school.example/short\"}},\"formatted_body\":"
        "\"<img src='mxc://school.example/%s'>\"}",
        deep);
    assert_true(fixture_send(&t.s.f, room, t.s.them[T1], "m.room.message", NULL, content.data, NULL, NULL, &e));
    assert_int_equal(download(P1, deep), 200);
    assert_int_equal(download(P3, deep), 404);
    text_finish(&content);
    free(secret), free(picture), free(left), free(deep);
}

static void ciphertext_is_for_encrypted_rooms(void **state)
{
    struct error e;
    struct school_policy policy = SCHOOL_POLICY_DEFAULT;
    policy.encryption[ROOM_CLUB] = ENCRYPTION_ALLOWED;
    assert_true(writer_run(t.s.f.writer, put_policy, &(struct policy_change){t.s.schools[ONE], &policy}, &e));
    char *before = upload_as(T1, "application/octet-stream", "", "before", 6);
    room_no room = club("{\"algorithm\":\"m.megolm.v1.aes-sha2\"}");
    char *ciphertext = upload_as(T1, "application/octet-stream", "", "ciphertext", 10);
    char *picture = upload_as(T1, "image/png", "", "picture", 7);
    assert_int_equal(download(P1, before), 200);
    assert_int_equal(download(P1, ciphertext), 200);
    assert_int_equal(download(P1, picture), 404); /* no ciphertext */
    assert_int_equal(download(P3, ciphertext), 404);
    assert_int_equal(download(XP, ciphertext), 404);
    assert_true(fixture_member(&t.s.f, room, ACT_LEAVE, t.s.them[P1], t.s.them[P1], &e));
    char *later = upload_as(T1, "application/octet-stream", "", "later", 5);
    assert_int_equal(download(P1, ciphertext), 200);
    assert_int_equal(download(P1, later), 404);
    free(before), free(ciphertext), free(picture), free(later);
}

static void pictures_of_people_and_rooms(void **state)
{
    struct error e;
    room_no room = club(NULL);
    char *face = upload(P1, "face"), *logo = upload(T1, "logo");
    json_auto_t *uri = json_sprintf("mxc://school.example/%s", face);
    json_auto_t *nowhere = json_string("mxc://school.example/Abcdefghijklmnopqrstuvwx");
    json_auto_t *elsewhere = json_string("mxc://other.example/abc");
    assert_int_equal(download(P2, face), 404);
    assert_false(profile_set(t.server.accounts, t.s.them[P1], "avatar_url", nowhere, &e));
    assert_string_equal(e.rule_code, "no_such_media");
    assert_false(profile_set(t.server.accounts, t.s.them[P1], "avatar_url", elsewhere, &e));
    assert_true(profile_set(t.server.accounts, t.s.them[P1], "avatar_url", uri, &e));
    assert_int_equal(download(P2, face), 200); /* A6: of the same school */
    assert_int_equal(download(XP, face), 404);
    assert_null(say(room, T1, "m.room.avatar", "url", "Abcdefghijklmnopqrstuvwx"));
    free(say(room, T1, "m.room.avatar", "url", logo));
    assert_int_equal(download(P1, logo), 200);
    assert_int_equal(download(T2, logo), 404);
    assert_true(fixture_member(&t.s.f, room, ACT_INVITE, t.s.them[T1], t.s.them[T2], &e));
    assert_int_equal(download(T2, logo), 200); /* as the invite shows it */
    assert_int_equal(download(XP, logo), 404);
    free(face), free(logo);
}

static bool put_report(struct tx *tx, void *arg, struct error *e)
{
    fixture_acts(tx);
    return reports_insert(tx, arg) != 0 &&
           roles_put(tx->db, &(struct role_row){t.s.them[T3], t.s.schools[ONE], ROLE_ADMINISTRATOR, DAY_EVER, DAY_NEVER,
                                                "test"});
}

/* F5: the office sees what was reported, and the accused cannot take it away. */
static void evidence_is_seen_by_who_decides(void **state)
{
    struct error e;
    room_no room = club(NULL);
    struct school_policy policy = SCHOOL_POLICY_DEFAULT;
    char *id = upload(P1, "ugly"), *other = upload(T1, "another's"),
         *event = say(room, P1, "m.room.message", "url", id);
    assert_true(writer_run(t.s.f.writer, put_policy, &(struct policy_change){t.s.schools[ONE], &policy}, &e));
    struct text evidence = TEXT_INIT;
    text_addf(&evidence, "{\"content\":{\"url\":\"mxc://school.example/%s\",\"x\":\"mxc://school.example/%s\"}}", id,
              other);
    struct report_row report = {.kind = "event",
                                .reporter = t.s.them[P2],
                                .accused = t.s.them[P1],
                                .room = room,
                                .event_id = event,
                                .evidence = evidence.data,
                                .school = t.s.schools[ONE],
                                .reason = "ugly"};
    assert_int_equal(download(T3, id), 404);
    assert_true(writer_run(t.s.f.writer, put_report, &report, &e));
    assert_int_equal(download(T3, id), 200);
    assert_int_equal(download(T3, other), 404); /* what is not the accused's is no evidence against them */
    assert_int_equal(download(T2, id), 404);
    assert_true(fixture_send(&t.s.f, room, t.s.them[P1], "m.room.redaction", NULL, "{}", event, NULL, &e));
    ahead_ms = 2 * MINUTE_MS;
    assert_int_equal(upkeep(), JOB_DONE);
    assert_int_equal(download(P2, id), 404);
    assert_int_equal(download(T3, id), 200);
    ahead_ms = 0;
    text_finish(&evidence);
    free(id), free(other), free(event);
}

/* --- How much --- */

static void as_large_and_as_much_as_the_school_says(void **state)
{
    struct error e;
    struct school_policy policy = SCHOOL_POLICY_DEFAULT;
    policy.media[MEDIA_PUPIL].file_max = 2 << 20;
    policy.media[MEDIA_PUPIL].quota = 5 << 20;
    assert_true(writer_run(t.s.f.writer, put_policy, &(struct policy_change){t.s.schools[ONE], &policy}, &e));
    assert_int_equal(ask("GET", MEDIA "/config", P3, NULL, NULL, 0), 200);
    assert_string_equal(got.body.data, "{\"m.upload.size\":2097152}");
    assert_int_equal(ask("GET", "/_matrix/media/v3/config", T1, NULL, NULL, 0), 200);
    assert_string_equal(got.body.data, "{\"m.upload.size\":209715200}");
    char *bytes = bytes_of(LARGE, 5);
    int64_t n = n_files("content");
    assert_int_equal(ask("POST", UPLOAD, P3, "Content-Type: a/b", bytes, LARGE), 413);
    json_auto_t *told = reply();
    assert_string_equal(json_get_string(told, "errcode"), "M_TOO_LARGE");
    assert_string_equal(json_get_string(told, "org.parta.bound"), "file_bytes: 2097152");
    assert_string_equal(json_get_string(told, "org.parta.rule"), "J5");
    for (int i = 0; i < 2; ++i) {
        bytes[0] = (char)i;
        free(upload_as(P3, "a/b", "", bytes, 2 << 20));
    }
    bytes[0] = 9;
    assert_int_equal(ask("POST", UPLOAD, P3, NULL, bytes, 2 << 20), 403);
    json_auto_t *full = reply();
    assert_string_equal(json_get_string(full, "errcode"), "M_FORBIDDEN");
    assert_string_equal(json_get_string(full, "org.parta.bound"), "media_bytes: 5242880");
    assert_int_equal(ask("POST", UPLOAD, P3, NULL, bytes, (1 << 20) - 4096), 200);
    assert_int_equal(ask("POST", UPLOAD, P3, NULL, "x", 1), 200); /* counts for 4096 */
    assert_int_equal(ask("POST", UPLOAD, P3, NULL, "y", 1), 403);
    assert_int_equal(n_files("content"), n + 4); /* what was refused left nothing */
    free(bytes);
}

static void shares_of_schools(void **state)
{
    static const struct {
        struct media_share shares[3];
        int n;
        int64_t bytes;
        enum rule_refusal refusal;
        int which;
        int64_t most;
    } CASES[] = {
        {{{100, 9999, 0}}, 1, 100, RULE_NONE, 0},
        {{{100, 9999, 0}}, 1, 101, RULE_J5_FILE_TOO_LARGE, 0, 100},
        {{{100, 9999, 0}, {200, 9999, 0}}, 2, 101, RULE_NONE, 1},
        {{{100, 9999, 0}, {200, 5000, 5000}}, 2, 101, RULE_J5_QUOTA, 0, 5000},
        {{{100, 9999, 9000}, {200, 5000, 0}}, 2, 99, RULE_NONE, 1},
        {{{100, -1, 1 << 30}}, 1, 99, RULE_NONE, 0},
        {{{100, 0, 0}}, 1, 1, RULE_J5_QUOTA, 0, 0},
        {{{0, -1, 0}}, 1, 1, RULE_J5_FILE_TOO_LARGE, 0, 0},
        {{{0, -1, 0}}, 1, 0, RULE_NONE, 0},
        {{{10, 4096, 0}}, 1, 1, RULE_NONE, 0},
        {{{10, 4095, 0}}, 1, 1, RULE_J5_QUOTA, 0, 4095},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        int which = -1;
        int64_t most = -1;
        assert_int_equal(media_choose(CASES[i].shares, CASES[i].n, CASES[i].bytes, &which, &most), CASES[i].refusal);
        if (CASES[i].refusal == RULE_NONE)
            assert_int_equal(which, CASES[i].which);
        else
            assert_int_equal(most, CASES[i].most);
    }
    assert_int_equal(media_tier_of(ROLE_PUPIL), MEDIA_PUPIL);
    assert_int_equal(media_tier_of(ROLE_PUPIL | ROLE_GUARDIAN), MEDIA_GUARDIAN);
    assert_int_equal(media_tier_of(ROLE_GUARDIAN | ROLE_TEACHER), MEDIA_STAFF);
    assert_int_equal(media_tier_of(0), MEDIA_PUPIL);
}

/* --- A virus scanner --- */

/* As clamd: hears one file on each connection, and says what it is told to. */
struct scanner {
    char path[110];
    int sock;
    const char *answer; /* NULL: hangs up */
    size_t heard;       /* bytes of the last file */
    pthread_t thread;
};

static bool take(int fd, void *to, size_t n)
{
    for (char *at = to; n > 0;) {
        ssize_t is = recv(fd, at, n, 0);
        if (is <= 0)
            return false;
        at += is;
        n -= (size_t)is;
    }
    return true;
}

static void hear_file(struct scanner *s, int fd)
{
    char command[10], piece[65536];
    uint32_t len = 1;
    s->heard = 0;
    if (!take(fd, command, sizeof command) || strcmp(command, "zINSTREAM") != 0)
        return;
    while (take(fd, &len, sizeof len) && (len = ntohl(len)) != 0 && len <= sizeof piece && take(fd, piece, len))
        s->heard += len;
    if (len == 0 && s->answer != NULL)
        send(fd, s->answer, strlen(s->answer) + 1, MSG_NOSIGNAL);
}

static void *run_scanner(void *arg)
{
    struct scanner *s = arg;
    for (int fd; (fd = accept(s->sock, NULL, NULL)) >= 0; close(fd))
        hear_file(s, fd);
    return NULL;
}

/* What does not end as an answer ends is none: the rest of it may have said anything. */
static void an_answer_of_the_scanner_is_heard_to_its_end(void **state)
{
#define SAID(text) text, sizeof(text) - 1
    static const struct {
        const char *bytes;
        size_t len;
        enum scan_outcome outcome;
    } CASES[] = {
        {SAID("stream: OK\0"), SCAN_CLEAN},
        {SAID("stream: OK\0 FOUND\0"), SCAN_CLEAN},
        {SAID("stream: OK"), SCAN_FAILED},
        {SAID("stream: OKAY\0"), SCAN_FAILED},
        {SAID("stream: OK FOUND\0"), SCAN_FOUND},
        {SAID("stream: OK\n\0"), SCAN_FAILED},
        {SAID(" FOUND\0"), SCAN_FAILED},
        {SAID("stream: X FOUND"), SCAN_FAILED},
        {SAID(""), SCAN_FAILED},
        {SAID("\0"), SCAN_FAILED},
    };
#undef SAID
    int ends[2];
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        assert_int_equal(send(ends[0], CASES[i].bytes, CASES[i].len, 0), CASES[i].len);
        shutdown(ends[0], SHUT_WR);
        assert_int_equal(scan_hear(ends[1]), CASES[i].outcome);
        close(ends[0]);
        close(ends[1]);
    }
    struct text found = TEXT_INIT; /* however long the name of what was found is */
    text_adds(&found, "stream: ");
    for (int i = 0; i < 1500; ++i)
        text_addc(&found, 'n');
    text_adds(&found, " FOUND");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(send(ends[0], found.data, found.len + 1, 0), found.len + 1);
    assert_int_equal(scan_hear(ends[1]), SCAN_FOUND);
    close(ends[0]);
    close(ends[1]);
    text_finish(&found);
}

static void a_virus_scanner_is_asked(void **state)
{
    struct scanner s = {.answer = "stream: OK"};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char *large = bytes_of(LARGE, 3);
    snprintf(s.path, sizeof s.path, "%s/clamd", t.s.f.dir);
    strcpy(address.sun_path, s.path);
    s.sock = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(s.sock, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(s.sock, 4), 0);
    assert_int_equal(pthread_create(&s.thread, NULL, run_scanner, &s), 0);
    t.media.scanner = s.path;
    free(upload_as(T1, "a/b", "", large, LARGE));
    assert_int_equal(s.heard, LARGE);
    assert_int_equal(n_files("content"), 1);
    s.answer = "stream: Eicar-Signature FOUND";
    expect("POST", UPLOAD, T1, "virus", 403, "M_FORBIDDEN");
    t.media.unscanned = true;
    expect("POST", UPLOAD, T1, "virus", 403, "M_FORBIDDEN"); /* that is no failure */
    for (int i = 0; i < 2; ++i) {
        static const char *const FAILS[] = {"INSTREAM size limit exceeded. ERROR", NULL};
        s.answer = FAILS[i];
        t.media.unscanned = false;
        expect("POST", UPLOAD, T1, "unseen", 503, "M_UNKNOWN");
        t.media.unscanned = true;
        expect("POST", UPLOAD, T1, "unseen", 200, "");
    }
    shutdown(s.sock, SHUT_RDWR);
    pthread_join(s.thread, NULL);
    close(s.sock);
    unlink(s.path);
    t.media.unscanned = false;
    expect("POST", UPLOAD, T1, "nobody there", 503, "M_UNKNOWN");
    assert_int_equal(upkeep(), JOB_DONE);
    assert_int_equal(n_files("content"), 2); /* of what was refused nothing is left */
    free(large);
}

/* --- What goes --- */

/* --- Previews of web addresses --- */

static void what_a_page_says_of_itself(void **state)
{
    static const struct {
        const char *html, *title, *description, *site_name, *type;
    } CASES[] = {
        {"<title> A\n  page </title>", "A page", "", "", ""},
        {"<html><head><title>A</title><meta property='og:title' content='B &amp; &lt;b&gt; &#1040;&#x411; "
         "&laquo;x&raquo;'>",
         "B & <b> АБ «x»", "", "", ""},
        {"<meta content=\"D\" name=description><meta property=og:description content=E><meta name=description "
         "content=F>",
         "", "E", "", ""},
        {"<META PROPERTY='og:title' CONTENT='T'/><meta property=\"og:site_name\" content=\"S\"><meta property=og:type "
         "content=article>",
         "T", "", "S", "article"},
        {"<meta property='og:title' content='first'><meta property='og:title' content='second'>", "first", "", "", ""},
        {"<!-- <title>no</title> "
         "--><script>'<title>no</title>'</script><style><title>no</title></style><title>yes</title>",
         "yes", "", "", ""},
        {"<body><title>no</title><meta property='og:title' content='no'>", "", "", "", ""},
        {"<meta property='og:title' content='a\x01\tb &#1; &unknown; &amp'>", "a b &#1; &unknown; &amp", "", "", ""},
        {"<title>\xd0\x90\xd0", "А", "", "", ""},                        /* cut within a character */
        {"<title>\xcd\xee\xe2\xee\xf1\xf2\xe8</title>", "", "", "", ""}, /* another encoding */
        {"<meta property='og:title' content='unclosed", "unclosed", "", "", ""},
        {"<meta property=og:title content=><meta =><meta", "", "", "", ""},
        {"", "", "", "", ""},
    };
    struct opengraph page;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        bool says = CASES[i].title[0] != '\0' || CASES[i].description[0] != '\0';
        assert_int_equal(opengraph_read(CASES[i].html, strlen(CASES[i].html), &page), says);
        assert_string_equal(page.title, CASES[i].title);
        assert_string_equal(page.description, CASES[i].description);
        assert_string_equal(page.site_name, CASES[i].site_name);
        assert_string_equal(page.type, CASES[i].type);
    }
    struct text html = TEXT_INIT;
    text_adds(&html, "<title>");
    for (int i = 0; i < 1000; ++i)
        text_adds(&html, "ы");
    assert_true(opengraph_read(html.data, html.len, &page));
    assert_int_equal(strlen(page.title), OPENGRAPH_TITLE_MAX);
    text_finish(&html);
}

static void which_addresses_are_looked_at(void **state)
{
    static const char *const GOOD[] = {"https://school.example", "http://school.example/a?b=c#d",
                                       "HTTPS://school.example:443/", "http://[2001:db8::1]/x",
                                       "http://10.0.0.1/"}; /* refused when it is connected to */
    static const char *const BAD[] = {"",
                                      "school.example",
                                      "ftp://school.example/",
                                      "file:///etc/passwd",
                                      "https://",
                                      "https:///x",
                                      "https://user@school.example/",
                                      "https://user:p@school.example/",
                                      "https://school.example:22/",
                                      "http://school.example:443/",
                                      "http://school.example:/",
                                      "https://school.example\\@evil.example/",
                                      "https://школа.рф/",
                                      "https://a b/",
                                      "https://[::1/",
                                      "javascript:alert(1)",
                                      "https://school.example\r\nHost: x"};
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; ++i)
        if (!preview_url_good(GOOD[i], OUTGOING_PUBLIC))
            fail_msg("%s", GOOD[i]);
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; ++i)
        if (preview_url_good(BAD[i], OUTGOING_PUBLIC))
            fail_msg("%s", BAD[i]);
}

static const char PAGE[] = "<title>A page</title><meta property='og:description' content='of the test'>";
static const char PREVIEW[] = "{\"og:description\":\"of the test\",\"og:title\":\"A page\"}";

/* What came of the address; heap. */
static char *fetched(struct previews *previews, const char *url)
{
    struct text out = TEXT_INIT;
    struct error e;
    assert_false(previews_kept(previews, url, &out));
    assert_true(previews_fetch(previews, url, &out, &e));
    return text_take(&out);
}

static void pages_are_fetched_once_and_bounded(void **state)
{
    static const struct {
        int status;
        const char *headers, *body;
        size_t times;
        const char *preview;
        int requests;
    } CASES[] = {
        {200, "Content-Type: text/html; charset=utf-8\r\n", PAGE, 1, PREVIEW, 1},
        {200, "Content-Type: text/html\r\n", PAGE, 20000, PREVIEW, 1}, /* longer than is read */
        {200, "Content-Type: text/plain\r\n", PAGE, 1, "{}", 1},
        {404, "Content-Type: text/html\r\n", PAGE, 1, "{}", 1},
        {302, "Content-Type: text/html\r\nLocation: /again\r\n", PAGE, 1, "{}", 1 + PREVIEW_REDIRECTS_MAX},
        {302, "Location: file:///etc/passwd\r\n", "", 1, "{}", 1},
        {302, "Location: //other.example/\r\n", "", 1, "{}", 1},
        {500, "", "", 1, "{}", 1},
    };
    struct outgoing *outgoing = outgoing_create(NULL);
    struct previews *previews = previews_create(outgoing, OUTGOING_ANY);
    struct http_service *web = http_service_start();
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        char url[80];
        struct text again = TEXT_INIT;
        int before = http_service_requests(web);
        http_service_set(web, SERVICE_ANSWERS, CASES[i].status, CASES[i].headers, CASES[i].body, CASES[i].times);
        snprintf(url, sizeof url, "http://127.0.0.1:%d/%zu", http_service_port(web), i);
        char *preview = fetched(previews, url);
        assert_string_equal(preview, CASES[i].preview);
        assert_int_equal(http_service_requests(web) - before, CASES[i].requests);
        assert_true(previews_kept(previews, url, &again)); /* for whoever asks next */
        assert_string_equal(again.data, preview);
        text_finish(&again);
        free(preview);
    }
    previews_destroy(previews);
    outgoing_destroy(outgoing);
    http_service_stop(web);
}

/* An address is followed as it was given: what is too long is not cut. */
static void long_redirects_are_not_followed(void **state)
{
    for (size_t len = PREVIEW_URL_MAX - 1; len <= PREVIEW_URL_MAX + 1; ++len) {
        char url[PREVIEW_URL_MAX + 1] = "https://a.example/";
        struct outgoing_reply reply = {.status = 302};
        text_adds(&reply.headers, "Location: https://b.example/");
        while (reply.headers.len < strlen("Location: ") + len)
            text_addc(&reply.headers, 'b');
        text_adds(&reply.headers, "\r\n");
        assert_int_equal(preview_redirected(&reply, url, OUTGOING_PUBLIC), len <= PREVIEW_URL_MAX);
        if (len <= PREVIEW_URL_MAX)
            assert_int_equal(strlen(url), len);
        outgoing_reply_finish(&reply);
    }
}

/* A5: nobody looks into this machine or its network by it, also not by a redirect. */
static void no_page_of_a_private_network(void **state)
{
    struct outgoing *outgoing = outgoing_create(NULL);
    struct previews *previews = previews_create(outgoing, OUTGOING_PUBLIC);
    char *preview = fetched(previews, "http://127.0.0.1/");
    assert_string_equal(preview, "{}");
    free(preview);
    preview = fetched(previews, "http://[::1]/");
    assert_string_equal(preview, "{}");
    free(preview);
    /* The operator turned it on: what is asked is answered, or refused by the address. */
    t.media.previews = previews;
    expect("GET", "/_matrix/client/v1/media/preview_url?url=http://localhost/", T1, NULL, 200, "");
    assert_string_equal(got.body.data, "{}");
    expect("GET", "/_matrix/client/v1/media/preview_url?url=http://localhost:8008/", T1, NULL, 400, "M_INVALID_PARAM");
    expect("GET", "/_matrix/client/v1/media/preview_url", T1, NULL, 400, "M_MISSING_PARAM");
    expect("GET", "/_matrix/client/v1/media/preview_url?url=http://localhost/", -1, NULL, 401, "M_MISSING_TOKEN");
    t.media.previews = NULL;
    previews_destroy(previews);
    outgoing_destroy(outgoing);
}

static void what_is_taken_back_goes(void **state)
{
    struct error e;
    room_no room = club(NULL);
    int64_t n = n_files("content");
    char *id = upload(T1, "taken back"), *twin = upload(P1, "taken back"), *kept = upload(T1, "kept");
    char *event = say(room, T1, "m.room.message", "url", id), *again = say(room, T1, "m.room.message", "url", kept);
    char *also = say(room, T1, "m.room.message", "url", kept);
    assert_true(fixture_send(&t.s.f, room, t.s.them[T1], "m.room.redaction", NULL, "{}", event, NULL, &e));
    assert_true(fixture_send(&t.s.f, room, t.s.them[T1], "m.room.redaction", NULL, "{}", again, NULL, &e));
    assert_int_equal(download(P1, id), 404);
    assert_int_equal(download(P1, kept), 200);
    ahead_ms = 2 * MINUTE_MS;
    assert_int_equal(upkeep(), JOB_DONE);
    assert_int_equal(download(T1, id), 404);
    assert_int_equal(download(P1, kept), 200);
    assert_int_equal(download(P1, twin), 200); /* the same content, somebody else's */
    assert_int_equal(n_files("content"), n + 2);
    ahead_ms = 8 * DAY_MS; /* and that was never sent */
    assert_int_equal(upkeep(), JOB_DONE);
    assert_int_equal(download(P1, twin), 404);
    assert_int_equal(n_files("content"), n + 1);
    assert_int_equal(download(P1, kept), 200);
    ahead_ms = 0;
    free(id), free(twin), free(kept), free(event), free(again), free(also);
}

static void what_something_shows_stays(void **state)
{
    struct error e;
    char *face = upload(P1, "face"), *ciphertext = upload_as(T1, "application/octet-stream", "", "c", 1);
    json_auto_t *uri = json_sprintf("mxc://school.example/%s", face);
    club("{\"algorithm\":\"m.megolm.v1.aes-sha2\"}");
    assert_true(profile_set(t.server.accounts, t.s.them[P1], "avatar_url", uri, &e));
    ahead_ms = 30 * DAY_MS;
    assert_int_equal(upkeep(), JOB_DONE);
    assert_int_equal(download(P1, face), 200);
    assert_int_equal(download(T1, ciphertext), 200);
    assert_true(profile_clear(t.server.accounts, t.s.them[P1], "avatar_url", &e));
    ahead_ms = 60 * DAY_MS;
    assert_int_equal(upkeep(), JOB_DONE);
    assert_int_equal(download(P1, face), 404);
    ahead_ms = 0;
    free(face), free(ciphertext);
}

static void files_that_no_row_names_go(void **state)
{
    struct error e;
    unsigned char hash[SHA256_BYTES];
    int64_t bytes;
    char *id = upload(T1, "stays"), *mine = upload(P1, "goes with me");
    assert_true(media_files_keep(t.media.files, -1, "orphan", 6, hash, &bytes));
    assert_int_equal(n_files("content"), 3);
    assert_int_equal(upkeep(), JOB_DONE); /* it is held: its row may be on its way */
    assert_int_equal(n_files("content"), 3);
    media_files_release(t.media.files, hash);
    t.upkeep.swept_ms = 0;
    assert_int_equal(upkeep(), JOB_DONE);
    assert_int_equal(n_files("content"), 2);
    assert_true(writer_run(t.s.f.writer, job_forget, &t.s.them[P1], &e)); /* G4 */
    assert_int_equal(upkeep(), JOB_DONE);
    assert_int_equal(n_files("content"), 1);
    assert_int_equal(download(P1, mine), 404);
    assert_int_equal(download(T1, id), 200);
    free(id), free(mine);
}

/* --- Backups --- */

/* A database of before there were media: there is nothing to copy. */
static void a_backup_of_an_older_database(void **state)
{
    struct media_copied copied;
    struct text problem = TEXT_INIT, path = TEXT_INIT, to = TEXT_INIT;
    text_addf(&path, "%s/old.db", t.s.f.dir);
    text_addf(&to, "%s/old-media", t.s.f.dir);
    struct db *db = db_open(path.data, DB_WRITE, NULL);
    assert_true(schema_migrate_to(db, 20) && !schema_has_table(db, "media") && schema_has_table(db, "users"));
    db_close(db);
    assert_true(schema_has_table(t.s.f.db, "media"));
    assert_true(media_copy(path.data, path.data, t.dir, to.data, &copied, &problem));
    assert_true(copied.files == 0 && copied.lost == 0);
    assert_true(media_verify(path.data, to.data, &copied, &problem));
    static const char *const FILES[] = {
        "old.db", "old.db-wal", "old.db-shm", "old-media/content", "old-media/taken-back", "old-media"};
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; ++i) {
        text_clear(&path);
        text_addf(&path, "%s/%s", t.s.f.dir, FILES[i]);
        remove(path.data);
    }
    text_finish(&problem), text_finish(&path), text_finish(&to);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    return remove(path);
}

static void a_backup_has_what_its_database_names(void **state)
{
    struct media_copied copied;
    struct text problem = TEXT_INIT, to = TEXT_INIT, path = TEXT_INIT;
    unsigned char hash[SHA256_BYTES];
    char name[MEDIA_HASH_TEXT];
    text_addf(&to, "%s/backup", t.s.f.dir);
    free(upload(T1, "one")), free(upload(T1, "two")), free(upload(P1, "two"));
    expect("POST", CREATE, T1, "", 200, "");
    assert_true(media_copy(t.s.f.path, t.s.f.path, t.dir, to.data, &copied, &problem));
    assert_true(copied.files == 3 && copied.bytes == 9 && copied.lost == 0);
    assert_true(media_verify(t.s.f.path, to.data, &copied, &problem));
    assert_true(copied.files == 3 && copied.lost == 0 && copied.damaged == 0);
    assert_false(media_copy(t.s.f.path, t.s.f.path, t.dir, to.data, &copied, &problem)); /* into what is there */
    sha256("one", 3, hash);
    media_hash_text(hash, name);
    text_addf(&path, "%s/content/%.2s/%s", to.data, name, name);
    assert_int_equal(unlink(path.data), 0);
    FILE *file = fopen(path.data, "w");
    fputs("uno", file);
    fclose(file);
    assert_true(media_verify(t.s.f.path, to.data, &copied, &problem));
    assert_true(copied.files == 2 && copied.damaged == 1);
    unlink(path.data);
    assert_true(media_verify(t.s.f.path, to.data, &copied, &problem));
    assert_true(copied.files == 2 && copied.lost == 1);
    assert_int_equal(nftw(to.data, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    text_finish(&problem), text_finish(&to), text_finish(&path);
}

static void a_backup_goes_to_another_file_system(void **state)
{
    struct media_copied copied;
    struct stat here, there;
    struct text problem = TEXT_INIT;
    char folder[] = "/dev/shm/parta-media-XXXXXX", to[sizeof folder + 8];
    if (mkdtemp(folder) == NULL || stat(folder, &there) != 0 || stat(t.dir, &here) != 0 ||
        there.st_dev == here.st_dev) {
        rmdir(folder);
        skip(); /* counted aloud */
    }
    snprintf(to, sizeof to, "%s/media", folder);
    free(upload(T1, "one"));
    assert_true(media_copy(t.s.f.path, t.s.f.path, t.dir, to, &copied, &problem));
    assert_true(copied.files > 0 && copied.lost == 0 && copied.taken_back == 0);
    int64_t files = copied.files;
    assert_true(media_verify(t.s.f.path, to, &copied, &problem));
    assert_true(copied.files == files && copied.lost == 0 && copied.damaged == 0);
    assert_int_equal(nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    text_finish(&problem);
}

/* Between the copy of the database and that of the files. */
static void what_was_taken_back_is_not_lost(void **state)
{
    struct error e;
    struct media_copied copied;
    struct text problem = TEXT_INIT, copy = TEXT_INIT, to = TEXT_INIT, path = TEXT_INIT;
    unsigned char hash[SHA256_BYTES];
    char name[MEDIA_HASH_TEXT];
    text_addf(&copy, "%s/copy.db", t.s.f.dir);
    text_addf(&to, "%s/backup", t.s.f.dir);
    free(upload(P1, "taken back")), free(upload(T1, "lost"));
    assert_true(db_backup(t.s.f.path, copy.data));
    assert_true(writer_run(t.s.f.writer, job_forget, &t.s.them[P1], &e));
    assert_int_equal(upkeep(), JOB_DONE);
    sha256("lost", 4, hash);
    media_hash_text(hash, name);
    text_addf(&path, "%s/content/%.2s/%s", t.dir, name, name);
    assert_int_equal(unlink(path.data), 0);
    for (int i = 0; i < 2; ++i) {
        assert_true(i == 0 ? media_copy(t.s.f.path, copy.data, t.dir, to.data, &copied, &problem)
                           : media_verify(copy.data, to.data, &copied, &problem));
        assert_int_equal(copied.lost, 1);
        assert_true(copied.taken_back >= 1 && copied.damaged == 0);
    }
    assert_int_equal(nftw(to.data, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    assert_int_equal(unlink(copy.data), 0);
    text_finish(&problem), text_finish(&copy), text_finish(&to), text_finish(&path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_comes_up_comes_down),
        TEST(each_content_lies_there_once),
        TEST(created_then_filled),
        TEST(so_many_are_only_created),
        TEST(types_and_names),
        TEST(parts_of_it),
        TEST(what_there_is_not),
        TEST(pictures_are_made_smaller),
        TEST(pictures_that_are_none),
        cmocka_unit_test(what_moves_is_bounded),
        TEST(each_thumbnail_is_made_once_and_goes),
        cmocka_unit_test(a_decoder_is_alone),
        TEST(half_an_upload_leaves_nothing),
        TEST(only_who_sees_where_it_was_sent),
        TEST(to_know_an_address_opens_nothing),
        TEST(ciphertext_is_for_encrypted_rooms),
        TEST(pictures_of_people_and_rooms),
        TEST(evidence_is_seen_by_who_decides),
        TEST(as_large_and_as_much_as_the_school_says),
        cmocka_unit_test(shares_of_schools),
        TEST(an_answer_of_the_scanner_is_heard_to_its_end),
        TEST(long_redirects_are_not_followed),
        TEST(a_virus_scanner_is_asked),
        cmocka_unit_test(what_a_page_says_of_itself),
        cmocka_unit_test(which_addresses_are_looked_at),
        cmocka_unit_test(pages_are_fetched_once_and_bounded),
        TEST(no_page_of_a_private_network),
        TEST(what_is_taken_back_goes),
        TEST(what_something_shows_stays),
        TEST(files_that_no_row_names_go),
        TEST(a_backup_has_what_its_database_names),
        TEST(a_backup_goes_to_another_file_system),
        TEST(what_was_taken_back_is_not_lost),
        TEST(a_backup_of_an_older_database),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
