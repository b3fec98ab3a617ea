/* A school of 400 rooms of which somebody is in 40, messages of eight words whose frequencies fall as those of a
 * language do, written into the database past the recorder; the index as the server makes it; then searches as the
 * handler does them, without HTTP and without writing out the reply. */
#include "tests/bench/search.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "homeserver/base/clock.h"
#include "homeserver/rooms/ignored.h"
#include "homeserver/rooms/read/render.h"
#include "homeserver/search/find.h"
#include "homeserver/search/request.h"
#include "homeserver/search/search.h"
#include "homeserver/store/matrix/events.h"
#include "tests/bench/report.h"
#include "tests/bench/subject.h"
#include "tests/unit/fixture.h"

enum { ROOMS = 400, OWN_ROOMS = 40, WORDS = 20000, PER_MESSAGE = 8, AT_ONCE = 10000, TIMES = 40 };

struct bench {
    struct fixture f;
    char path[128];
    struct search *search;
    user_no reader, other;
    room_no rooms[ROOMS];
    uint64_t seed;
    int written;
};

static uint32_t draw(struct bench *b)
{
    b->seed = b->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(b->seed >> 33);
}

/* The n-th word is met about 1/n as often as the first. */
static int draw_word(struct bench *b)
{
    double u = draw(b) / 2147483648.0, x = 1;
    int n = 1;
    while (u > 0.5 && n < WORDS) {
        x *= 2.1;
        n = (int)x;
        u = (u - 0.5) * 2;
    }
    return n + (int)(draw(b) % (uint32_t)(n + 1));
}

static void add_word(struct text *out, int n)
{
    static const char *const SYLLABLES[] = {"ба", "ве", "ги", "до", "жу", "за", "ки", "ло",
                                            "му", "не", "по", "ра", "со", "ту", "хи", "ша"};
    for (int i = 0; i < 2 || n != 0; ++i, n /= 16)
        text_adds(out, SYLLABLES[n % 16]);
    text_adds(out, "ком");
}

static bool write_some(struct tx *tx, void *arg, struct error *e)
{
    static const unsigned char NOTHING[64];
    struct bench *b = arg;
    struct text content = TEXT_INIT;
    char id[32];
    for (int i = 0; i < AT_ONCE; ++i, ++b->written) {
        text_clear(&content);
        text_adds(&content, "{\"body\":\"");
        for (int k = 0; k < PER_MESSAGE; ++k) {
            text_adds(&content, k != 0 ? " " : "");
            add_word(&content, draw_word(b));
        }
        text_adds(&content, "\",\"msgtype\":\"m.text\"}");
        snprintf(id, sizeof id, "$m%d", b->written);
        struct event_row row = {.pos = tx_next_pos(tx),
                                .room = b->rooms[draw(b) % ROOMS],
                                .event_id = id,
                                .type = "m.room.message",
                                .sender = b->other,
                                .ts = tx->now_ms,
                                .depth = 1,
                                .content = content.data,
                                .auth = "",
                                .hash = NOTHING};
        if (!events_insert(tx, &row))
            abort();
    }
    text_finish(&content);
    return true;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double search_ms(struct bench *b, struct search_index *reader, const char *term, const char *order,
                        int64_t *count)
{
    struct error e;
    struct search_request request;
    struct search_found found;
    struct ignored ignored;
    json_auto_t *body = json_pack("{s:s, s:s}", "search_term", term, "order_by", order);
    int64_t start_us = clock_mono_us(), rank;
    struct render how = {.db = b->f.db, .names = b->f.names, .viewer = b->reader, .ignored = &ignored};
    db_begin_read(b->f.db);
    ignored_load(&ignored, b->f.db, "school.example", b->reader);
    if (!search_request_parse(body, &request, &e) ||
        !search_find(reader, &how, false, "@reader:school.example", &request, (struct search_from){INT64_MAX - 1, 0},
                     &found, &e))
        abort();
    for (size_t i = 0; i < found.n; ++i) {
        struct text out = TEXT_INIT;
        struct event_row *row = event_at(b->f.db, found.hits[found.first + i].pos);
        how.room_id = found.hits[found.first + i].room->room_id;
        how.visibility = found.hits[found.first + i].room->visibility;
        free(search_found_marked(reader, &request, &found.hits[found.first + i], &rank));
        render_event(&out, &how, row);
        text_finish(&out);
        free(row);
    }
    *count = found.count;
    search_found_finish(&found);
    search_request_finish(&request);
    ignored_finish(&ignored);
    db_end_read(b->f.db);
    return (double)(clock_mono_us() - start_us) / 1000;
}

static json_t *search_all(struct bench *b, json_t *figures)
{
    static const struct {
        const char *name, *order;
        int first, step, words;
    } KINDS[] = {
        {"rare", "rank", 9000, 37, 1},           {"usual", "rank", 300, 11, 1},   {"commonest", "rank", 1, 1, 1},
        {"commonest_recent", "recent", 1, 1, 1}, {"two_usual", "rank", 20, 3, 2}, {"two_common", "rank", 1, 1, 2},
    };
    struct search_index *reader = search_borrow(b->search);
    double all[sizeof KINDS / sizeof *KINDS * TIMES];
    size_t n = 0;
    for (size_t k = 0; k < sizeof KINDS / sizeof *KINDS; ++k) {
        double own[TIMES];
        char name[64];
        int64_t count = 0;
        for (int i = 0; i < TIMES; ++i) {
            struct text term = TEXT_INIT;
            int first = KINDS[k].first + (KINDS[k].step == 1 ? i % 3 : i * KINDS[k].step);
            for (int w = 0; w < KINDS[k].words; ++w) {
                add_word(&term, first + w);
                text_addc(&term, ' ');
            }
            own[i] = all[n++] = search_ms(b, reader, term.data, KINDS[k].order, &count);
            text_finish(&term);
        }
        qsort(own, TIMES, sizeof *own, by_size);
        snprintf(name, sizeof name, "%s_p50_ms", KINDS[k].name);
        json_object_set_new(figures, name, json_real(own[TIMES / 2]));
        snprintf(name, sizeof name, "%s_found", KINDS[k].name);
        json_object_set_new(figures, name, json_integer(count));
    }
    search_give_back(b->search, reader);
    qsort(all, n, sizeof *all, by_size);
    json_object_set_new(figures, "p50_ms", json_real(all[n / 2]));
    json_object_set_new(figures, "p99_ms", json_real(all[n * 99 / 100]));
    return figures;
}

/* As after the upgrade: all there is, from the newest on. */
static double index_us(struct bench *b)
{
    struct search_progress progress = {0};
    double before = process_cpu_us();
    b->search = search_start(&(struct search_settings){b->path, b->f.writer});
    do {
        usleep(10000);
        search_progress(b->search, &progress);
    } while (progress.all == 0 || progress.to_do != 0);
    return (process_cpu_us() - before) / b->written;
}

static void measure(struct bench *b, int messages, void (*fn)(json_t *figures))
{
    struct error e;
    while (b->written < messages)
        if (!writer_run(b->f.writer, write_some, b, &e))
            abort();
    double each_us = index_us(b);
    search_stop(b->search);
    json_t *figures = json_pack("{s:i, s:i, s:i, s:f, s:f, s:f}", "messages", b->written, "rooms", ROOMS, "of_them",
                                OWN_ROOMS, "index_us_per_message", each_us, "index_bytes_per_message",
                                (double)subject_file_bytes(b->path) / b->written, "database_bytes_per_message",
                                (double)subject_file_bytes(b->f.path) / b->written);
    fn(search_all(b, figures));
    search_destroy(b->search);
}

void bench_search(void (*fn)(json_t *figures))
{
    struct bench b = {.seed = 1};
    fixture_start(&b.f);
    snprintf(b.path, sizeof b.path, "%s/search.db", b.f.dir);
    b.reader = fixture_user(&b.f, "reader");
    b.other = fixture_user(&b.f, "other");
    for (int i = 0; i < ROOMS; ++i) {
        b.rooms[i] = fixture_room(&b.f, b.other, "12", PRESET_PUBLIC_CHAT, NULL);
        if (i % (ROOMS / OWN_ROOMS) == 0)
            fixture_member(&b.f, b.rooms[i], ACT_JOIN, b.reader, b.reader, NULL);
    }
    measure(&b, 100000, fn);
    unlink(b.path);
    measure(&b, 1000000, fn);
    unlink(b.path);
    fixture_stop(&b.f);
}
