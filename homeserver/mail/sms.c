#include "homeserver/mail/sms.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/config.h"
#include "homeserver/base/percent.h"
#include "homeserver/base/secret.h"
#include "homeserver/outgoing/outgoing.h"

struct sms {
    const struct config *config;
    struct outgoing *outgoing;
    char *secret; /* NULL: none */
};

static void add_value(struct text *out, enum sms_writing writing, const char *value)
{
    struct text quoted = TEXT_INIT;
    switch (writing) {
    case SMS_WRITE_URL: text_add_percent(out, value); break;
    case SMS_WRITE_PLAIN: text_adds(out, value); break;
    case SMS_WRITE_JSON:
        text_add_json(&quoted, value);
        text_add(out, quoted.data + 1, quoted.len - 2); /* the quotes are the template's */
        text_finish(&quoted);
        break;
    }
}

void sms_fill(struct text *out, const char *template, enum sms_writing writing, const struct sms_values *values)
{
    const struct {
        const char *name, *value;
    } PLACES[] = {{"{to}", values->to}, {"{text}", values->text}, {"{secret}", values->secret}};
    enum { N_PLACES = sizeof PLACES / sizeof *PLACES };
    while (*template != '\0') {
        size_t i = 0;
        while (i < N_PLACES &&
               (PLACES[i].value == NULL || strncmp(template, PLACES[i].name, strlen(PLACES[i].name)) != 0))
            ++i;
        if (i == N_PLACES) {
            text_addc(out, *template ++);
        } else {
            add_value(out, writing, PLACES[i].value);
            template += strlen(PLACES[i].name);
        }
    }
}

enum outgoing_verdict sms_verdict(const struct outgoing_reply *reply, const char *success)
{
    switch (reply->fault) {
    case OUTGOING_ANSWERED: break;
    case OUTGOING_UNTRUSTED:
    case OUTGOING_TOO_LARGE: return OUTGOING_GIVE_UP;
    default: return OUTGOING_AGAIN;
    }
    enum outgoing_verdict verdict = outgoing_usual_verdict(reply);
    bool done = success == NULL || memmem(reply->body.data, reply->body.len, success, strlen(success)) != NULL;
    return verdict == OUTGOING_DONE && !done ? OUTGOING_GIVE_UP : verdict;
}

static enum outgoing_verdict judge(void *success, const struct outgoing_reply *reply)
{
    return sms_verdict(reply, success);
}

static void wipe(struct text *t)
{
    if (t->data != NULL)
        sodium_memzero(t->data, t->len);
    text_finish(t);
}

bool sms_send(struct sms *sms, const char *to, const char *text, int64_t deadline_ms, outgoing_done *done, void *arg)
{
    static const char *const METHODS[] = {[SMS_POST] = "POST", [SMS_PUT] = "PUT", [SMS_GET] = "GET"};
    const struct config *c = sms->config;
    const struct sms_values values = {to, text, sms->secret}, secret = {.secret = sms->secret};
    struct text url = TEXT_INIT, body = TEXT_INIT, header = TEXT_INIT;
    const char *headers[2];
    size_t n = 0;
    if (to[0] == '\0' || strspn(to, "0123456789") != strlen(to))
        return false;
    sms_fill(&url, c->sms.url, SMS_WRITE_URL, &values);
    text_adds(&body, "");
    if (c->sms.body != NULL)
        sms_fill(&body, c->sms.body, c->sms.body_type == SMS_JSON ? SMS_WRITE_JSON : SMS_WRITE_URL, &values);
    if (c->sms.header != NULL)
        sms_fill(&header, c->sms.header, SMS_WRITE_PLAIN, &secret);
    if (c->sms.method != SMS_GET)
        headers[n++] = c->sms.body_type == SMS_JSON ? "Content-Type: application/json"
                                                    : "Content-Type: application/x-www-form-urlencoded";
    if (header.len != 0)
        headers[n++] = header.data;
    struct outgoing_request request = {
        .what = "sms",
        .url = url.data,
        .network = OUTGOING_ANY, /* the operator's gateway */
        .ca_file = c->sms.ca_file,
        .method = METHODS[c->sms.method],
        .headers = headers,
        .n_headers = n,
        .body = c->sms.method != SMS_GET ? body.data : NULL,
        .body_len = body.len,
        .deadline_ms = deadline_ms,
        .environment_proxy = true,
    };
    bool sent = outgoing_send(sms->outgoing, &request, &(struct outgoing_handler){judge, c->sms.success, done, arg});
    wipe(&url);
    wipe(&body);
    wipe(&header);
    return sent;
}

struct sms *sms_create(const struct config *config, struct outgoing *outgoing, struct text *problem)
{
    if (config->sms.url == NULL)
        return NULL;
    char *secret = secret_read("sms.secret_file", config->sms.secret_file, problem);
    if (config->sms.secret_file != NULL && secret == NULL)
        return NULL;
    struct sms *sms = xcalloc(1, sizeof *sms);
    *sms = (struct sms){config, outgoing, secret};
    return sms;
}

void sms_destroy(struct sms *sms)
{
    if (sms == NULL)
        return;
    secret_free(sms->secret);
    free(sms);
}
