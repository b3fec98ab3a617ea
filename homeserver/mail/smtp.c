#include "homeserver/mail/smtp.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/ids.h"
#include "homeserver/base/secret.h"
#include "homeserver/outgoing/outgoing.h"

#define ID_CHARS 24
#define LINE_MAX_ 76       /* RFC 2045, 6.8; RFC 2047, 2 (an encoded word has 75) */
#define BODY_LINE_BYTES 57 /* make 76 characters of base64 */

struct smtp {
    const struct config *config;
    struct outgoing *outgoing;
    char *password; /* NULL: none */
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
    size_t len = utf8_cut(s, strlen(s), (LINE_MAX_ - 12 - column) / 4 * 3);
    return len > 0 || *s == '\0' ? len : 1; /* what is no UTF-8 is cut anywhere */
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

/* A server without TLS, or with a certificate that is not its own, does not get better by waiting; a refusal of the
 * address neither. Everything else may. */
static enum outgoing_verdict judge(void *arg, const struct outgoing_reply *reply)
{
    switch (reply->fault) {
    case OUTGOING_ANSWERED: return OUTGOING_DONE;
    case OUTGOING_UNTRUSTED: return OUTGOING_GIVE_UP;
    case OUTGOING_REFUSED: return reply->status >= 500 ? OUTGOING_GIVE_UP : OUTGOING_AGAIN;
    default: return OUTGOING_AGAIN;
    }
}

static void add_in_brackets(struct text *out, const char *address)
{
    text_addf(out, "<%s>", address);
}

bool smtp_send(struct smtp *smtp, const struct mail *mail, int64_t deadline_ms, outgoing_done *done, void *arg)
{
    const struct config *c = smtp->config;
    char id[ID_CHARS + 1];
    struct text message = TEXT_INIT, from = TEXT_INIT, to = TEXT_INIT;
    random_name(id, ID_CHARS);
    struct smtp_envelope envelope = {c->mail.from, c->mail.name, id, clock_wall_ms()};
    add_in_brackets(&from, c->mail.from);
    add_in_brackets(&to, mail->to);
    const struct outgoing_mail way = {from.data, to.data, c->mail.tls == MAIL_TLS_NONE};
    bool sent = false;
    if (smtp_message(&message, &envelope, mail)) {
        struct outgoing_request request = {
            .what = "mail",
            .url = c->mail.url,
            .network = OUTGOING_ANY, /* the school's own server, in its own network */
            .ca_file = c->mail.ca_file,
            .user = c->mail.user,
            .password = smtp->password,
            .body = message.data,
            .body_len = message.len,
            .deadline_ms = deadline_ms,
            .mail = &way,
        };
        sent = outgoing_send(smtp->outgoing, &request, &(struct outgoing_handler){judge, NULL, done, arg});
        sodium_memzero(message.data, message.len);
    }
    text_finish(&message);
    text_finish(&from);
    text_finish(&to);
    return sent;
}

struct smtp *smtp_create(const struct config *config, struct outgoing *outgoing, struct text *problem)
{
    if (config->mail.url == NULL)
        return NULL;
    char *password = secret_read("mail.password_file", config->mail.password_file, problem);
    if (config->mail.password_file != NULL && password == NULL)
        return NULL;
    struct smtp *smtp = xcalloc(1, sizeof *smtp);
    *smtp = (struct smtp){config, outgoing, password};
    return smtp;
}

void smtp_destroy(struct smtp *smtp)
{
    if (smtp == NULL)
        return;
    secret_free(smtp->password);
    free(smtp);
}
