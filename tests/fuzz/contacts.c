/* What people type as addresses, and what goes into mails and gateways: nothing gets out of its place. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/accounts/contacts.h"
#include "homeserver/accounts/phone.h"
#include "homeserver/base/crypto.h"
#include "homeserver/base/ids.h"
#include "homeserver/base/json.h"
#include "homeserver/mail/sms.h"
#include "homeserver/mail/smtp.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void addresses(const char *typed)
{
    static const char *const COUNTRIES[] = {NULL, "RU", "BY", "US", "IT"};
    struct contact_address address, again;
    struct error e = {0};
    char digits[PHONE_DIGITS_MAX + 1];
    if (contact_email(typed, &address, &e)) {
        must(smtp_address_safe(address.address));
        must(contact_email(address.address, &again, &e) && strcmp(address.address, again.address) == 0);
    }
    for (size_t i = 0; i < sizeof COUNTRIES / sizeof *COUNTRIES; ++i)
        if (phone_canonical(COUNTRIES[i], typed, digits)) {
            must(strlen(digits) >= 7 && strspn(digits, "0123456789") == strlen(digits));
            must(phone_canonical(NULL, digits, again.address) && strcmp(again.address, digits) == 0);
        }
}

/* Headers of the message: lines that don't begin with a space, up to the first empty one. */
static int headers(const char *message)
{
    int n = 0;
    for (const char *line = message; strncmp(line, "\r\n", 2) != 0; line = strstr(line, "\r\n") + 2) {
        n += *line != ' ';
        must(strcspn(line, "\r\n") <= (strncmp(line, "To:", 3) == 0 ? 310 : 78)); /* an address is not folded */
        must(strncmp(line + strcspn(line, "\r\n"), "\r\n", 2) == 0);
    }
    return n;
}

static void message(const char *text)
{
    struct smtp_envelope envelope = {"noreply@school.example", text, "id", 0};
    struct mail mail = {"anna@school.example", text, text};
    struct text out = TEXT_INIT;
    must(smtp_message(&out, &envelope, &mail));
    must(headers(out.data) == 9);
    text_finish(&out);
    mail.to = text;
    must(!smtp_message(&out, &envelope, &mail) || headers(out.data) == 9);
    text_finish(&out);
}

static void gateway(const char *text)
{
    const struct sms_values values = {"79123456789", text, "s3cret"};
    struct text out = TEXT_INIT;
    struct error e = {0};
    sms_fill(&out, "{\"to\": \"+{to}\", \"text\": \"{text}\"}", SMS_WRITE_JSON, &values);
    json_auto_t *body = json_parse(out.data, out.len, &e);
    must(body != NULL && strcmp(json_get_string(body, "text"), text) == 0 && json_object_size(body) == 2);
    text_clear(&out);
    sms_fill(&out, "to={to}&text={text}", SMS_WRITE_URL, &values);
    const char *amp = strchr(out.data, '&');
    must(strchr(amp + 1, '&') == NULL && strpbrk(out.data, " \r\n#+\"") == NULL);
    text_finish(&out);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len)
{
    char *s = xstrndup((const char *)data, len < 300 ? len : 300);
    addresses(s);
    if (utf8_valid(s, strlen(s))) {
        message(s);
        gateway(s);
    }
    free(s);
    return 0;
}
