/* What the other side of an outgoing request answers: the first line is the status and a header's name, then come the
 * head's lines, an empty one, and the body. The client of OneRoster REST reads the total, the date
 * and the token of it; an application service says with it whether it took a transaction, a gateway whether it took a
 * short message, and a page that is to be previewed where it is now. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "appservice/transactions.h"
#include "homeserver/base/clock.h"
#include "homeserver/mail/sms.h"
#include "homeserver/media/previews.h"
#include "homeserver/outgoing/curl_library.h"
#include "homeserver/outgoing/rest_client.h"
#include "homeserver/outgoing/transfer_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* The head line by line as curl hands it over. Returns the body. */
static char *take_head(struct transfer *t, char *at)
{
    for (char *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        size_t len = (size_t)(end - at) + 1;
        must(transfer_take_header(at, 1, len, t) == len);
        if (t->headed)
            return end + 1;
    }
    return at + strlen(at);
}

/* Before white space at the end; 0: there is none. */
static char last_sign(const struct text *body)
{
    size_t len = body->len;
    while (len > 0 && memchr(" \t\r\n", body->data[len - 1], 4) != NULL)
        --len;
    return (char)(len > 0 ? body->data[len - 1] : 0);
}

/* A gateway has taken a message only when it says so, in its number and in its words; else it is not asked again but
 * when it is busy. */
static void check_sms(const struct outgoing_reply *reply, const char *success)
{
    bool good = reply->status >= 200 && reply->status <= 299 && reply->fault == OUTGOING_ANSWERED;
    bool busy = reply->status == 429 || reply->status >= 500 || reply->fault == OUTGOING_UNREACHABLE;
    bool said = memmem(reply->body.data, reply->body.len, success, strlen(success)) != NULL;
    must(sms_verdict(reply, NULL) == (good ? OUTGOING_DONE : busy ? OUTGOING_AGAIN : OUTGOING_GIVE_UP));
    must((sms_verdict(reply, success) == OUTGOING_DONE) == (good && said));
    must((sms_verdict(reply, success) == OUTGOING_AGAIN) == busy);
    for (enum outgoing_fault fault = OUTGOING_UNREACHABLE; fault <= OUTGOING_NOT_TRIED; ++fault) {
        struct outgoing_reply other = *reply;
        other.fault = fault;
        must(sms_verdict(&other, success) != OUTGOING_DONE);
    }
}

/* A page that redirects leads to an address that may be looked at, as it was given, and never out of TLS. */
static void check_redirect(const struct outgoing_reply *reply, const char *from)
{
    char url[PREVIEW_URL_MAX + 1], whole[PREVIEW_URL_MAX + 64];
    bool named = outgoing_reply_header(reply, "Location", whole, sizeof whole);
    strcpy(url, from);
    if (preview_redirected(reply, url, OUTGOING_PUBLIC)) {
        must(named && reply->status > 300 && reply->status < 309 && preview_url_good(url, OUTGOING_PUBLIC));
        must(strchr(url, '#') == NULL && (from[4] != 's' || strncasecmp(url, "https://", 8) == 0));
        size_t path = strcspn(whole, "#");
        must(path <= strlen(url) && memcmp(url + strlen(url) - path, whole, path) == 0);
    }
    must(!preview_is_page(reply) || (reply->status == 200 && reply->body.len != 0));
}

static void check(const struct outgoing_reply *reply, const char *name)
{
    char value[16];
    int64_t lifetime_s, total = rest_total(reply, 1000000);
    struct text problem = TEXT_INIT;
    char *token = rest_token("The source", reply, &lifetime_s, &problem);
    must((token != NULL) == (problem.len == 0) && lifetime_s >= 0 && lifetime_s <= 86400);
    for (const char *p = token; p != NULL && *p != '\0'; ++p)
        must(*p > ' ' && *p < 127);
    must(total >= -2 && reply->date_ms >= -1);
    must(reply->retry_after_ms >= -1 && reply->retry_after_ms <= RETRY_AFTER_MAX_MS);
    if (outgoing_reply_header(reply, name, value, sizeof value))
        must(strlen(value) < sizeof value && strchr(value, '\n') == NULL);
    free(token);
    text_finish(&problem);
    check_sms(reply, name);
    check_redirect(reply, "http://a.example/b?c");
    check_redirect(reply, "https://a.example");
    must(!transaction_taken(reply->status, reply->body.data, reply->body.len) ||
         (reply->status == 200 && last_sign(&reply->body) == '}'));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    must(curl_library_load());
    const struct outgoing_request request = {.what = "fuzz", .url = "http://127.0.0.1/", .deadline_ms = INT64_MAX};
    char *whole = memcpy(xcalloc(1, len + 1), bytes, len), *name, *head = strchr(whole, '\n');
    if (head != NULL) {
        *head++ = '\0';
        long status = strtol(whole, &name, 10);
        struct transfer *t = transfer_create(&request, &(struct outgoing_handler){NULL});
        transfer_begin(t);
        const char *body = take_head(t, head);
        text_add(&t->reply.body, body, len - (size_t)(body - whole));
        transfer_end(t, CURLE_OK);
        must(t->reply.fault == (t->headed ? OUTGOING_ANSWERED : OUTGOING_UNREACHABLE));
        t->reply.status = status;
        check(&t->reply, *name != '\0' ? name + 1 : name);
        transfer_destroy(t);
    }
    free(whole);
    return 0;
}
