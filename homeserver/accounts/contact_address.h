/* Addresses at which people are reached: e-mail addresses and phone numbers, in the one form that is compared, kept and
 * sent to. Pure. */
#ifndef PARTA_ACCOUNTS_CONTACT_ADDRESS_H
#define PARTA_ACCOUNTS_CONTACT_ADDRESS_H

#include <stdbool.h>

struct error;

#define CONTACT_BYTES_MAX 254

enum contact_medium { CONTACT_EMAIL, CONTACT_PHONE };                 /* on the wire "email", "msisdn" */
const char *contact_medium_name(enum contact_medium medium);          /* "email", "msisdn"; static storage */
bool contact_medium_from(const char *name, enum contact_medium *out); /* false: it is neither, or NULL; *out stays */

/* In canonical form: an e-mail address in lower case, a number's digits (E.164). */
struct contact_address {
    enum contact_medium medium;
    char address[CONTACT_BYTES_MAX + 1];
};

/* From what a person typed. false: *e is ERROR_INVALID_PARAM. An e-mail address is ASCII: a domain of another alphabet
 * is written in its xn-- form, quoted local parts are not taken. country: as phone_canonical. */
bool contact_email(const char *typed, struct contact_address *out, struct error *e);
bool contact_phone(const char *country, const char *typed, struct contact_address *out, struct error *e);
/* By its medium's name, the address as a client remembers it; a number may come with or without "+". */
bool contact_from(const char *medium, const char *address, struct contact_address *out, struct error *e);

#endif
