#include "homeserver/accounts/phone.h"

#include <stddef.h>
#include <string.h>

/* A number as it is typed is rarely longer. */
#define TYPED_MAX 32
#define DIGITS_MIN 7 /* of a whole number with its calling code: Niue has 5 + 4 */

static const struct region {
    const char *country, *calling, *trunk, *abroad; /* abroad: what one dials before a calling code */
    size_t low, high;
} REGIONS[] = {
#define X(country, calling, trunk, abroad, low, high) {#country, calling, trunk, abroad, low, high},
#include "homeserver/accounts/phone_regions.def"
#undef X
};
#define N_REGIONS (sizeof REGIONS / sizeof *REGIONS)

static const struct region *region_of(const char *country)
{
    for (size_t i = 0; i < N_REGIONS; ++i)
        if (strcmp(REGIONS[i].country, country) == 0)
            return &REGIONS[i];
    return NULL;
}

/* The digits alone; *plus: they began with "+". −1: something else is among them, or there are too many. */
static int digits_of(const char *typed, char out[TYPED_MAX + 1], bool *plus)
{
    int n = 0;
    typed += strspn(typed, " ");
    *plus = *typed == '+';
    for (typed += *plus; *typed != '\0'; ++typed) {
        if (strchr(" -().\t/", *typed) != NULL)
            continue;
        if (*typed < '0' || *typed > '9' || n == TYPED_MAX)
            return -1;
        out[n++] = *typed;
    }
    out[n] = '\0';
    return n;
}

static const char *without(const char *prefix, const char *digits)
{
    size_t len = strlen(prefix);
    return len != 0 && strncmp(digits, prefix, len) == 0 ? digits + len : NULL;
}

static bool fits(const struct region *region, const char *national)
{
    size_t len = strlen(national);
    return len >= region->low && len <= region->high && national[0] != '\0';
}

/* A whole number with its calling code: of a country that is known, and as long as one there can be. Regions that share
 * a code are asked one after the other. */
static bool take_whole(const char *digits, char out[PHONE_DIGITS_MAX + 1])
{
    size_t len = strlen(digits);
    if (len < DIGITS_MIN || len > PHONE_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < N_REGIONS; ++i) {
        const char *national = without(REGIONS[i].calling, digits);
        if (national == NULL || !fits(&REGIONS[i], national))
            continue;
        memcpy(out, digits, len + 1);
        return true;
    }
    return false;
}

static bool take_national(const struct region *region, const char *national, char out[PHONE_DIGITS_MAX + 1])
{
    size_t calling = strlen(region->calling);
    if (national == NULL || !fits(region, national) || calling + strlen(national) > PHONE_DIGITS_MAX)
        return false;
    memcpy(out, region->calling, calling);
    memcpy(out + calling, national, strlen(national) + 1);
    return true;
}

bool phone_canonical(const char *country, const char *typed, char out[PHONE_DIGITS_MAX + 1])
{
    char digits[TYPED_MAX + 1];
    bool plus;
    const struct region *region = country != NULL ? region_of(country) : NULL;
    if (digits_of(typed, digits, &plus) < 0 || (country != NULL && region == NULL))
        return false;
    if (plus || region == NULL)
        return take_whole(digits, out);
    const char *abroad = without(region->abroad, digits);
    if (abroad != NULL && take_whole(abroad, out))
        return true;
    return take_national(region, without(region->trunk, digits), out) || take_national(region, digits, out) ||
           take_national(region, without(region->calling, digits), out);
}
