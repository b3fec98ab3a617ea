#include "homeserver/mail/sms.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/config.h"
#include "homeserver/mail/secret.h"
#include "homeserver/mail/sender.h"

struct sms {
    const struct config *config;
    struct sender *sender;
    char *secret; /* NULL: none */
};

struct sms_transfer {
    struct transfer transfer;
    const struct config *config;
    struct text url, body;
    struct curl_slist *headers;
    void (*done)(void *arg, bool delivered);
    void *arg;
};

/* RFC 3986's unreserved characters stand for themselves. */
static void add_percent(struct text *out, const char *s)
{
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    for (; *s != '\0'; ++s)
        if (strchr(PLAIN, *s) != NULL)
            text_addc(out, *s);
        else
            text_addf(out, "%%%02X", (unsigned)(unsigned char)*s);
}

static void add_json_inside(struct text *out, const char *s)
{
    struct text quoted = TEXT_INIT;
    text_add_json(&quoted, s);
    text_add(out, quoted.data + 1, quoted.len - 2);
    text_finish(&quoted);
}

static void add_value(struct text *out, enum sms_writing writing, const char *value)
{
    switch (writing) {
    case SMS_WRITE_URL: add_percent(out, value); break;
    case SMS_WRITE_JSON: add_json_inside(out, value); break;
    case SMS_WRITE_PLAIN: text_adds(out, value); break;
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

static bool prepare(struct transfer *transfer, CURL *easy)
{
    static const char *const METHODS[] = {[SMS_POST] = "POST", [SMS_PUT] = "PUT", [SMS_GET] = "GET"};
    struct sms_transfer *t = (struct sms_transfer *)transfer;
    const struct config *c = t->config;
    curl_easy_setopt(easy, CURLOPT_URL, t->url.data);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
    if (c->sms.ca_file != NULL)
        curl_easy_setopt(easy, CURLOPT_CAINFO, c->sms.ca_file);
    if (c->sms.method != SMS_GET) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, t->body.data);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)t->body.len);
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, METHODS[c->sms.method]);
    }
    return true;
}

/* What the gateway has answered is its last word, unless it says that it is busy: a message sent twice costs twice. */
static enum transfer_verdict judge(struct transfer *transfer, const struct transfer_reply *reply)
{
    const struct sms_transfer *t = (const struct sms_transfer *)transfer;
    const char *success = t->config->sms.success;
    if (reply->code == CURLE_PEER_FAILED_VERIFICATION)
        return TRANSFER_REFUSED;
    if (reply->code != CURLE_OK || reply->status == 429 || reply->status >= 500)
        return TRANSFER_AGAIN;
    return reply->status >= 200 && reply->status <= 299 && (success == NULL || strstr(reply->body, success) != NULL)
               ? TRANSFER_DONE
               : TRANSFER_REFUSED;
}

static void wipe(struct text *t)
{
    if (t->data != NULL)
        sodium_memzero(t->data, t->len);
    text_finish(t);
}

static void release(struct sms_transfer *t)
{
    wipe(&t->url);
    wipe(&t->body);
    curl_slist_free_all(t->headers);
    free(t);
}

static void finish(struct transfer *transfer, bool done)
{
    struct sms_transfer *t = (struct sms_transfer *)transfer;
    t->done(t->arg, done);
    release(t);
}

static void add_headers(struct sms_transfer *t, const struct sms *sms)
{
    const struct config *c = sms->config;
    const struct sms_values secret = {.secret = sms->secret};
    struct text header = TEXT_INIT;
    if (c->sms.method != SMS_GET)
        t->headers = curl_slist_append(t->headers, c->sms.body_type == SMS_JSON
                                                       ? "Content-Type: application/json"
                                                       : "Content-Type: application/x-www-form-urlencoded");
    if (c->sms.header == NULL)
        return;
    sms_fill(&header, c->sms.header, SMS_WRITE_PLAIN, &secret);
    t->headers = curl_slist_append(t->headers, header.data);
    wipe(&header);
}

bool sms_send(struct sms *sms, const char *to, const char *text, int64_t deadline_ms,
              void (*done)(void *arg, bool delivered), void *arg)
{
    const struct config *c = sms->config;
    const struct sms_values values = {to, text, sms->secret};
    if (to[0] == '\0' || strspn(to, "0123456789") != strlen(to))
        return false;
    struct sms_transfer *t = xcalloc(1, sizeof *t);
    t->transfer = (struct transfer){
        .what = "sms", .deadline_ms = deadline_ms, .prepare = prepare, .judge = judge, .finish = finish};
    t->config = c;
    t->done = done;
    t->arg = arg;
    sms_fill(&t->url, c->sms.url, SMS_WRITE_URL, &values);
    if (c->sms.body != NULL)
        sms_fill(&t->body, c->sms.body, c->sms.body_type == SMS_JSON ? SMS_WRITE_JSON : SMS_WRITE_URL, &values);
    add_headers(t, sms);
    if (sender_send(sms->sender, &t->transfer))
        return true;
    release(t);
    return false;
}

struct sms *sms_create(const struct config *config, struct sender *sender, struct text *problem)
{
    if (config->sms.url == NULL)
        return NULL;
    char *secret = secret_read("sms.secret_file", config->sms.secret_file, problem);
    if (config->sms.secret_file != NULL && secret == NULL)
        return NULL;
    struct sms *sms = xcalloc(1, sizeof *sms);
    *sms = (struct sms){config, sender, secret};
    return sms;
}

void sms_destroy(struct sms *sms)
{
    if (sms == NULL)
        return;
    secret_free(sms->secret);
    free(sms);
}
