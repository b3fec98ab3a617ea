#include "homeserver/accounts/contact_address.h"

#include <string.h>

#include "homeserver/accounts/phone.h"
#include "homeserver/base/error.h"
#include "homeserver/base/words.h"

#define LOCAL_PART_MAX 64 /* RFC 5321, 4.5.3.1.1 */
#define LABEL_MAX 63
#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static const char *const MEDIA[] = {[CONTACT_EMAIL] = "email", [CONTACT_PHONE] = "msisdn"};

const char *contact_medium_name(enum contact_medium medium)
{
    return MEDIA[medium];
}

bool contact_medium_from(const char *name, enum contact_medium *out)
{
    int i = WORD_FIND(MEDIA, name);
    if (i >= 0)
        *out = (enum contact_medium)i;
    return i >= 0;
}

/* Words of those characters with a dot between each two; *n: how many words. */
static bool dotted(const char *s, size_t len, const char *characters, size_t word_max, int *n)
{
    size_t word;
    *n = 0;
    do {
        word = strspn(s, characters);
        word = word > len ? len : word;
        if (word == 0 || word > word_max)
            return false;
        ++*n;
        s += word;
        len -= word;
        if (len == 0)
            return true;
        --len;
    } while (*s++ == '.');
    return false;
}

/* RFC 5321: dot-atom and host name. No quoted local parts, no address literals. */
static bool email_valid(const char *s, size_t len)
{
    const char *at = memchr(s, '@', len);
    int words, labels;
    if (at == NULL || len > CONTACT_BYTES_MAX)
        return false;
    size_t local = (size_t)(at - s), domain = len - local - 1;
    if (local > LOCAL_PART_MAX || !dotted(s, local, ALNUM "!#$%&'*+-/=?^_`{|}~", LOCAL_PART_MAX, &words) ||
        !dotted(at + 1, domain, ALNUM "-", LABEL_MAX, &labels) || labels < 2)
        return false;
    for (size_t i = local + 1; i < len; ++i) /* no label begins or ends with a dash */
        if (s[i] == '-' && (s[i - 1] == '@' || s[i - 1] == '.' || i + 1 == len || s[i + 1] == '.'))
            return false;
    return true;
}

bool contact_email(const char *typed, struct contact_address *out, struct error *e)
{
    typed += strspn(typed, " ");
    size_t len = strlen(typed);
    while (len > 0 && typed[len - 1] == ' ')
        --len;
    if (!email_valid(typed, len)) {
        error_set(e, ERROR_INVALID_PARAM, "Это не адрес электронной почты.");
        e->translation = "This is not an e-mail address.";
        return false;
    }
    out->medium = CONTACT_EMAIL;
    for (size_t i = 0; i < len; ++i)
        out->address[i] = (char)(typed[i] >= 'A' && typed[i] <= 'Z' ? typed[i] - 'A' + 'a' : typed[i]);
    out->address[len] = '\0';
    return true;
}

bool contact_phone(const char *country, const char *typed, struct contact_address *out, struct error *e)
{
    out->medium = CONTACT_PHONE;
    if (phone_canonical(country, typed, out->address))
        return true;
    error_set(e, ERROR_INVALID_PARAM, "Это не номер мобильного телефона этой страны.");
    e->translation = "This is not a mobile phone number of that country.";
    return false;
}

bool contact_from(const char *medium, const char *address, struct contact_address *out, struct error *e)
{
    if (!contact_medium_from(medium, &out->medium))
        return error_set(e, ERROR_INVALID_PARAM, "The medium must be email or msisdn.");
    return out->medium == CONTACT_EMAIL ? contact_email(address, out, e) : contact_phone(NULL, address, out, e);
}
