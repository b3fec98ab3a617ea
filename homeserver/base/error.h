/* Errors, told once.
 *
 * A refusal travels as a struct error that the caller owns: what the client will see (a code of errors.def, a fixed
 * sentence, at most one extra field) and nothing else. Internal causes (a full disk, a bug) are logged where they arise
 * and reach the client as ERROR_UNKNOWN. Setting an error returns false, so that a failing act is one line:
 *
 *     if (!power_suffices)
 *         return error_set(e, ERROR_FORBIDDEN, "Your power level is too low to send this event."); */
#ifndef PARTA_BASE_ERROR_H
#define PARTA_BASE_ERROR_H

#include <stdbool.h>
#include <stdint.h>

enum error_code {
    ERROR_NONE,
#define X(name, wire, status, sentence) ERROR_##name,
#include "homeserver/base/errors.def"
#undef X
    ERROR__COUNT
};

struct error {
    enum error_code code;
    int status;              /* HTTP status if it differs from the table's; 0: the table's */
    const char *sentence;    /* static storage; NULL: the table's */
    const char *translation; /* the sentence in the other language; static storage; NULL: none. Clients show both */
    int64_t retry_after_ms;  /* for ERROR_LIMIT_EXCEEDED; 0: not said */
    bool soft_logout;        /* for ERROR_UNKNOWN_TOKEN: the device still exists */
    const char *rule, *rule_code; /* by which of the school's rules (policy/rules/refusals.h); NULL: by none */
    const char *field;            /* one more field of the reply, static storage; NULL: none */
    char value[128];              /* its string value, UTF-8, NUL-terminated */
};

/* Fills *e and returns false. sentence: static storage, or NULL for the table's. */
bool error_set(struct error *e, enum error_code code, const char *sentence);

/* As error_set, with a string field beside errcode and error (for example "room_version"). value
 * is UTF-8; copied, cut before its 128th byte. */
bool error_set_field(struct error *e, enum error_code code, const char *sentence, const char *field, const char *value);

/* As error_set_field with "org.parta.parameter": which parameter is wrong or missing: of the path or query, a member of
 * the body, a header. */
bool error_set_parameter(struct error *e, enum error_code code, const char *parameter, const char *sentence);

/* ERROR_LIMIT_EXCEEDED with the time to wait. Returns false. */
bool error_set_limited(struct error *e, int64_t retry_after_ms);

const char *error_wire_name(enum error_code code); /* "M_FORBIDDEN" */
int error_status(const struct error *e);           /* the HTTP status */
const char *error_sentence(const struct error *e); /* never NULL */

#endif
