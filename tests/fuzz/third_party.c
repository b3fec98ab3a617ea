/* What application services answer when somebody looks for networks, places and people there, as whole requests
 * (whole_request.h) with the answers behind them: "\n%i 200\n" begins the one of the first service, "%b" of the second,
 * "%I" and "%B" where older ones have it. Whatever they say, who asked gets JSON, and no service learns who it is. */
#include <stdlib.h>
#include <string.h>

#include "homeserver/outgoing/outgoing.h"
#include "tests/fuzz/whole_request.h"
#include "tests/fuzz/whole_services.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
struct outgoing_calls *begin_calls(struct outgoing *outgoing) __asm__("__wrap_outgoing_calls_create");
void answer_call(struct outgoing_calls *calls, const struct outgoing_request *request, outgoing_judge *judge,
                 void *judge_arg, struct outgoing_reply *reply) __asm__("__wrap_outgoing_calls_add");
size_t end_calls(struct outgoing_calls *calls) __asm__("__wrap_outgoing_calls_wait");

#define SERVICE(id, protocols)                                                                                         \
    "id: " id "\nurl: https://" id ".example\nas_token: as_" id "_0123456789abcdef\nhs_token: hs_" id                  \
    "_0123456789abcdef\nsender_localpart: " id "bot\nprotocols: [" protocols "]\norg.parta.schools: [s1]\n"            \
    "namespaces:\n  users: [{exclusive: true, regex: '@" id "_.*'}]\n"                                                 \
    "  aliases: [{exclusive: true, regex: '#" id "_.*'}]\n  rooms: []\n"

static const char LETTERS[] = "iIbB"; /* of whom the answer is; large: where older ones have it */
#define ANSWERS (sizeof LETTERS - 1)

static struct {
    long status; /* 0: none comes */
    const char *bytes;
    size_t len;
} answers[ANSWERS];

/* --- The services --- */

struct outgoing_calls *begin_calls(struct outgoing *outgoing)
{
    return (struct outgoing_calls *)&answers;
}

void answer_call(struct outgoing_calls *calls, const struct outgoing_request *request, outgoing_judge *judge,
                 void *judge_arg, struct outgoing_reply *reply)
{
    const char *url = request->url;
    bool second = strncmp(url, "https://both.example/", 21) == 0, older = strstr(url, "/unstable/thirdparty/") != NULL;
    must(text_is_line(url) && (second || strncmp(url, "https://irc.example/", 20) == 0));
    must(strstr(url, "?access_token=") == NULL && strstr(url, "&access_token=") == NULL);
    must(strstr(url, "?user_id=") == NULL && strstr(url, "&user_id=") == NULL);
    size_t i = 2 * (size_t)second + older;
    *reply = (struct outgoing_reply){.fault = answers[i].status != 0 ? OUTGOING_ANSWERED : OUTGOING_UNREACHABLE};
    reply->status = answers[i].status;
    text_add(&reply->body, answers[i].bytes, answers[i].len);
    text_adds(&reply->body, "");
}

size_t end_calls(struct outgoing_calls *calls)
{
    return 0;
}

/* --- An input --- */

/* How long the request is, before the answers; who is not among them does not answer. */
static size_t take_answers(const char *input, size_t len)
{
    const char *end = input + len, *first = len != 0 ? whole_next_answer(input, end, LETTERS) : NULL;
    memset(answers, 0, sizeof answers);
    for (const char *at = first, *next; at != NULL; at = next) {
        next = whole_next_answer(at, end, LETTERS);
        size_t i = (size_t)((const char *)memchr(LETTERS, at[1], ANSWERS) - LETTERS);
        const char *stop = next != NULL ? next - 1 : end, *line = memchr(at, '\n', (size_t)(stop - at));
        answers[i].status = line != NULL && line - at >= 6 && memcmp(at + 3, "200", 3) == 0 ? 200 : 404;
        answers[i].bytes = line != NULL ? line + 1 : stop;
        answers[i].len = (size_t)(stop - answers[i].bytes);
    }
    return first != NULL ? (size_t)(first - 1 - input) : len;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char *const SERVICES[] = {SERVICE("irc", "irc"), SERVICE("both", "irc, xmpp")};
    struct whole_tables tables;
    whole_service_tables(&tables);
    whole_start("registration: {mode: token}\npublic_baseurl: https://school.example\n", &tables, 1);
    whole_serve(SERVICES, 2);
    whole_json_only();
    whole_person("teacher", whole_world.teacher);
    whole_person("other", whole_world.other_admin); /* of a school that no service is for */
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    whole_ask(bytes, take_answers((const char *)bytes, len), false);
    return 0;
}
