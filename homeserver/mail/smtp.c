#include "homeserver/mail/smtp.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/crypto.h"
#include "homeserver/mail/secret.h"
#include "homeserver/mail/sender.h"

#define ID_CHARS 24
#define LINE_MAX_ 76       /* RFC 2045, 6.8; RFC 2047, 2 (an encoded word has 75) */
#define BODY_LINE_BYTES 57 /* make 76 characters of base64 */

struct smtp {
    const struct config *config;
    struct sender *sender;
    char *password; /* NULL: none */
};

struct smtp_transfer {
    struct transfer transfer;
    struct smtp *smtp;
    char *to, *from; /* in angle brackets */
    struct text message;
    size_t read; /* bytes that curl has taken */
    struct curl_slist *recipients;
    void (*done)(void *arg, bool delivered);
    void *arg;
};

bool smtp_address_safe(const char *address)
{
    const char *at = strchr(address, '@');
    for (const char *p = address; *p != '\0'; ++p)
        if (*p <= ' ' || *p >= 127 || strchr("<>()[]\\,;:\"", *p) != NULL)
            return false;
    return at != NULL && at != address && at[1] != '\0' && strchr(at + 1, '@') == NULL;
}

/* As many whole characters as fit into the line from column on: "=?UTF-8?B?" and "?=" are 12, four stand for three. */
static size_t word_len(const char *s, size_t column)
{
    size_t len = strlen(s), most = (LINE_MAX_ - 12 - column) / 4 * 3;
    if (len <= most)
        return len;
    for (len = most; len > 1 && ((unsigned char)s[len] & 0xc0) == 0x80;)
        --len;
    return len;
}

static bool is_plain(const char *s)
{
    for (; *s != '\0'; ++s)
        if (*s < ' ' || *s >= 127)
            return false;
    return true;
}

/* Words that can be nothing but words, on as many lines as they need. column is at most 40. */
static void add_encoded(struct text *out, const char *utf8, size_t column)
{
    for (;;) {
        size_t len = word_len(utf8, column);
        text_adds(out, "=?UTF-8?B?");
        text_add_base64_padded(out, (const unsigned char *)utf8, len);
        text_adds(out, "?=");
        utf8 += len;
        if (*utf8 == '\0')
            return;
        text_adds(out, "\r\n ");
        column = 1;
    }
}

void smtp_add_words(struct text *out, const char *utf8, size_t column)
{
    if (is_plain(utf8) && strstr(utf8, "=?") == NULL && column + strlen(utf8) <= LINE_MAX_) {
        text_adds(out, utf8);
        return;
    }
    add_encoded(out, utf8, column);
}

/* RFC 5322, 3.3, in UTC and without the locale's names. */
static void add_date(struct text *out, int64_t wall_ms)
{
    static const char *const DAYS[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const MONTHS[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm t;
    gmtime_r(&seconds, &t);
    text_addf(out, "Date: %s, %02d %s %d %02d:%02d:%02d +0000\r\n", DAYS[t.tm_wday], t.tm_mday, MONTHS[t.tm_mon],
              t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

static bool quotable(const char *name)
{
    return is_plain(name) && strpbrk(name, "\"\\") == NULL && strstr(name, "=?") == NULL &&
           strlen(name) + strlen("From: \"\"") <= LINE_MAX_;
}

static void add_from(struct text *out, const struct smtp_envelope *envelope)
{
    const char *name = envelope->name;
    text_adds(out, "From: ");
    if (name != NULL && quotable(name))
        text_addf(out, "\"%s\"\r\n ", name);
    if (name != NULL && !quotable(name)) {
        add_encoded(out, name, strlen("From: "));
        text_adds(out, "\r\n ");
    }
    text_addf(out, "<%s>\r\n", envelope->from);
}

/* The text's lines end in CRLF before they are encoded (RFC 2046, 4.1.1). */
static void add_body(struct text *out, const char *s)
{
    struct text canonical = TEXT_INIT;
    for (; *s != '\0'; ++s) {
        if (*s == '\n')
            text_addc(&canonical, '\r');
        text_addc(&canonical, *s);
    }
    for (size_t at = 0; at < canonical.len; at += BODY_LINE_BYTES) {
        size_t len = canonical.len - at < BODY_LINE_BYTES ? canonical.len - at : BODY_LINE_BYTES;
        text_add_base64_padded(out, (const unsigned char *)canonical.data + at, len);
        text_adds(out, "\r\n");
    }
    if (canonical.data != NULL)
        sodium_memzero(canonical.data, canonical.len);
    text_finish(&canonical);
}

bool smtp_message(struct text *out, const struct smtp_envelope *envelope, const struct mail *mail)
{
    if (!smtp_address_safe(mail->to) || !smtp_address_safe(envelope->from))
        return false;
    add_date(out, envelope->wall_ms);
    add_from(out, envelope);
    text_addf(out, "To: <%s>\r\n", mail->to);
    text_adds(out, "Subject: ");
    smtp_add_words(out, mail->subject, strlen("Subject: "));
    text_addf(out, "\r\nMessage-ID: <%s%s>\r\n", envelope->id, strrchr(envelope->from, '@'));
    text_adds(out, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                   "Content-Transfer-Encoding: base64\r\nAuto-Submitted: auto-generated\r\n\r\n");
    add_body(out, mail->text);
    return true;
}

/* --- The transfer --- */

static size_t give(char *buffer, size_t size, size_t n, void *arg)
{
    struct smtp_transfer *t = arg;
    size_t len = t->message.len - t->read;
    if (len > size * n)
        len = size * n;
    memcpy(buffer, t->message.data + t->read, len);
    t->read += len;
    return len;
}

static bool prepare(struct transfer *transfer, CURL *easy)
{
    static const long TLS[] = {
        [MAIL_STARTTLS] = CURLUSESSL_ALL, [MAIL_TLS] = CURLUSESSL_ALL, [MAIL_TLS_NONE] = CURLUSESSL_NONE};
    struct smtp_transfer *t = (struct smtp_transfer *)transfer;
    const struct config *c = t->smtp->config;
    t->read = 0;
    curl_easy_setopt(easy, CURLOPT_URL, c->mail.url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L); /* mails are rare, and mail servers end idle connections */
    curl_easy_setopt(easy, CURLOPT_USE_SSL, TLS[c->mail.tls]);
    if (c->mail.ca_file != NULL)
        curl_easy_setopt(easy, CURLOPT_CAINFO, c->mail.ca_file);
    if (c->mail.user != NULL) {
        curl_easy_setopt(easy, CURLOPT_USERNAME, c->mail.user);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, t->smtp->password);
    }
    curl_easy_setopt(easy, CURLOPT_MAIL_FROM, t->from);
    curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, t->recipients);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, give);
    curl_easy_setopt(easy, CURLOPT_READDATA, t);
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    return true;
}

/* A server without TLS, or with a certificate that is not its own, does not get better by waiting; a refusal of the
 * address neither. Everything else may. */
static enum transfer_verdict judge(struct transfer *transfer, const struct transfer_reply *reply)
{
    if (reply->code == CURLE_OK)
        return TRANSFER_DONE;
    if (reply->code == CURLE_USE_SSL_FAILED || reply->code == CURLE_PEER_FAILED_VERIFICATION)
        return TRANSFER_REFUSED;
    return reply->status >= 500 && reply->status <= 599 && reply->code != CURLE_LOGIN_DENIED ? TRANSFER_REFUSED
                                                                                             : TRANSFER_AGAIN;
}

static void release(struct smtp_transfer *t)
{
    if (t->message.data != NULL)
        sodium_memzero(t->message.data, t->message.len);
    text_finish(&t->message);
    curl_slist_free_all(t->recipients);
    free(t->to);
    free(t->from);
    free(t);
}

static void finish(struct transfer *transfer, bool done)
{
    struct smtp_transfer *t = (struct smtp_transfer *)transfer;
    t->done(t->arg, done);
    release(t);
}

static char *in_brackets(const char *address)
{
    struct text t = TEXT_INIT;
    text_addf(&t, "<%s>", address);
    return text_take(&t);
}

bool smtp_send(struct smtp *smtp, const struct mail *mail, int64_t deadline_ms, void (*done)(void *arg, bool delivered),
               void *arg)
{
    const struct config *c = smtp->config;
    char id[ID_CHARS + 1];
    random_name(id, ID_CHARS);
    struct smtp_envelope envelope = {c->mail.from, c->mail.name, id, clock_wall_ms()};
    struct smtp_transfer *t = xcalloc(1, sizeof *t);
    t->transfer = (struct transfer){
        .what = "mail", .deadline_ms = deadline_ms, .prepare = prepare, .judge = judge, .finish = finish};
    t->smtp = smtp;
    t->done = done;
    t->arg = arg;
    t->to = in_brackets(mail->to);
    t->from = in_brackets(c->mail.from);
    t->recipients = curl_slist_append(NULL, t->to);
    if (smtp_message(&t->message, &envelope, mail) && sender_send(smtp->sender, &t->transfer))
        return true;
    release(t);
    return false;
}

struct smtp *smtp_create(const struct config *config, struct sender *sender, struct text *problem)
{
    if (config->mail.url == NULL)
        return NULL;
    char *password = secret_read("mail.password_file", config->mail.password_file, problem);
    if (config->mail.password_file != NULL && password == NULL)
        return NULL;
    struct smtp *smtp = xcalloc(1, sizeof *smtp);
    *smtp = (struct smtp){config, sender, password};
    return smtp;
}

void smtp_destroy(struct smtp *smtp)
{
    if (smtp == NULL)
        return;
    secret_free(smtp->password);
    free(smtp);
}
