/* Phone numbers: from what a person types to E.164's digits. */
#ifndef PARTA_ACCOUNTS_PHONE_H
#define PARTA_ACCOUNTS_PHONE_H

#include <stdbool.h>

#define PHONE_DIGITS_MAX 15 /* E.164 */

/* country: an ISO 3166 code ("RU"), as if typed was dialled there; NULL: typed must begin with "+" or be E.164's
 * digits. Spaces, dashes, dots, slashes and brackets are left out. false: not a number that one could have (too short,
 * too long, other characters, no such country). */
bool phone_canonical(const char *country, const char *typed, char out[PHONE_DIGITS_MAX + 1]);

#endif
