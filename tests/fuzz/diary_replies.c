/* What diaries, their token endpoints and the homeserver answer the bridge: "%" begins an answer, "%200" and its
 * status, with the head's lines, an empty one and the body behind; "%-" is none. A page of a diary is fetched three
 * times, the homeserver is asked for what must be and what need not be there. Nothing may crash or leak; what was not
 * sent again is what was sent before; what is refused has its reason. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "appservice/diary/fetch.h"
#include "appservice/diary/matrix_client.h"
#include "homeserver/base/clock.h"
#include "homeserver/outgoing/outgoing.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
bool next_answers(struct outgoing *outgoing, const struct outgoing_request *request, outgoing_judge *judge,
                  void *judge_arg, struct outgoing_reply *reply) __asm__("__wrap_outgoing_call");
struct outgoing_calls *begin_calls(struct outgoing *outgoing) __asm__("__wrap_outgoing_calls_create");
void answer_call(struct outgoing_calls *calls, const struct outgoing_request *request, outgoing_judge *judge,
                 void *judge_arg, struct outgoing_reply *reply) __asm__("__wrap_outgoing_calls_add");
size_t end_calls(struct outgoing_calls *calls) __asm__("__wrap_outgoing_calls_wait");

#define PAGE "https://diary.example/marks"

static const char *at, *end; /* the answers that are left; after the last there is none */
static long status;          /* of the last */
static char tag[300];        /* that the last request named */

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* --- Who answers --- */

static void take_answer(const char *from, const char *to, struct outgoing_reply *reply)
{
    const char *line = memchr(from, '\n', (size_t)(to - from));
    line = line != NULL ? line + 1 : to;
    status = 0;
    for (; from < line && *from >= '0' && *from <= '9' && status < 600; ++from)
        status = 10 * status + (*from - '0');
    if (status < 100)
        return;
    const char *empty = memmem(line, (size_t)(to - line), "\n\n", 2);
    const char *body = line < to && *line == '\n' ? line + 1 : empty != NULL ? empty + 2 : to;
    reply->fault = OUTGOING_ANSWERED;
    reply->status = status;
    text_add(&reply->headers, line, (size_t)(body - line));
    text_add(&reply->body, body, (size_t)(to - body));
}

static void answer(const struct outgoing_request *request, struct outgoing_reply *reply)
{
    static const char NAMES[] = "If-None-Match: ";
    char value[64];
    must(text_is_line(request->url) && (request->bearer == NULL || text_is_line(request->bearer)));
    *tag = '\0';
    status = 0;
    for (size_t i = 0; i < request->n_headers; ++i)
        if (strncmp(request->headers[i], NAMES, sizeof NAMES - 1) == 0)
            snprintf(tag, sizeof tag, "%s", request->headers[i] + sizeof NAMES - 1);
    *reply = (struct outgoing_reply){
        .fault = OUTGOING_UNREACHABLE, .why = "no connection", .date_ms = -1, .retry_after_ms = -1, .attempts = 1};
    const char *from = at < end ? memchr(at, '%', (size_t)(end - at)) : NULL;
    const char *next = from != NULL ? memmem(from, (size_t)(end - from), "\n%", 2) : NULL;
    at = next != NULL ? next + 1 : end;
    if (from != NULL)
        take_answer(from + 1, at, reply);
    text_adds(&reply->body, "");
    if (outgoing_reply_header(reply, "Date", value, sizeof value)) /* far away, or near */
        reply->date_ms = *value == '1' ? 1000 : clock_wall_ms();
}

bool next_answers(struct outgoing *outgoing, const struct outgoing_request *request, outgoing_judge *judge,
                  void *judge_arg, struct outgoing_reply *reply)
{
    answer(request, reply);
    return (judge != NULL ? judge(judge_arg, reply) : outgoing_usual_verdict(reply)) == OUTGOING_DONE;
}

struct outgoing_calls *begin_calls(struct outgoing *outgoing)
{
    return (struct outgoing_calls *)&tag;
}

void answer_call(struct outgoing_calls *calls, const struct outgoing_request *request, outgoing_judge *judge,
                 void *judge_arg, struct outgoing_reply *reply)
{
    answer(request, reply);
}

size_t end_calls(struct outgoing_calls *calls)
{
    return 0;
}

/* --- Who asks --- */

static void fetch_page(struct source *source, struct rest_client *client, struct text *last)
{
    struct text problem = TEXT_INIT;
    const char *body;
    size_t len;
    bool got = fetch_get(source, client, "a page of marks", PAGE, NULL, 0, &body, &len, &problem);
    must(got || problem.len != 0);
    must(!got || status == 200 || (status == 304 && len == last->len && memcmp(body, last->data, len) == 0));
    must(!got || (fetch_total(source) >= -2 && fetch_total(source) <= READING_RECORDS_MAX));
    if (got) {
        struct text kept = TEXT_INIT; /* body may lie in what is asked for next */
        text_add(&kept, body, len);
        text_adds(&kept, "");
        text_finish(last);
        *last = kept;
    }
    text_finish(&problem);
}

static void fetch(bool by_oauth)
{
    static const struct adapter ADAPTER = {.name = "fuzz"};
    struct source source = {.adapter = &ADAPTER, .memory = fetch_memory_create()};
    struct rest_client client = fetch_client(&source, "The diary");
    struct text last = TEXT_INIT;
    text_adds(&last, "");
    if (by_oauth) {
        client.token_url = "https://diary.example/token";
        client.client_id = client.secret = "s";
        client.form = "grant_type=client_credentials";
    }
    for (int i = 0; i < 3; ++i)
        fetch_page(&source, &client, &last);
    text_finish(&last);
    rest_client_finish(&client);
    fetch_memory_destroy(source.memory);
}

/* Done is what the number says, unless what was said is no answer: then nobody knows. Refused for good is nothing that
 * could still work. */
static void check_answer(enum matrix_answer answer)
{
    bool good = status >= 200 && status < 300;
    must(answer == MATRIX_DONE ? good : !good || answer == MATRIX_UNKNOWN);
    must(answer != MATRIX_REFUSED || (status >= 400 && status < 500 && status != 429 && status != 401));
}

static void ask(void)
{
    static const struct matrix_client CLIENT = {.url = "https://m.example", .as_token = "a", .school_token = "s"};
    struct matrix_put put = {.path = (char *)"/rooms/!r/send/m.room.message/t", .content = json_object()};
    json_t *reply;
    check_answer(matrix_call(&CLIENT, "POST", "/join/!r", json_object(), &reply));
    json_decref(reply);
    check_answer(matrix_look(&CLIENT, "/_parta/v1/me", &reply));
    json_decref(reply);
    check_answer(matrix_call(&CLIENT, "GET", "/sync", NULL, NULL));
    matrix_put_all(&CLIENT, &(struct matrix_put *){&put}, 1);
    check_answer(put.answer);
    json_decref(put.reply);
    json_decref(put.content);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const char *begin = (const char *)bytes;
    if (len == 0)
        return 0;
    end = begin + len;
    at = begin + 1;
    if (*begin == 'm')
        ask();
    else
        fetch(*begin == 't');
    return 0;
}
