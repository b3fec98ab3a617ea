/* The second factor (school.md H1): a code that an app on the person's phone makes each half minute of a secret and the
 * time (TOTP, RFC 6238: SHA-1, six digits, 30 s), or, once each, one of ten recovery codes that were told when it was
 * set up.
 *
 * A code is taken of the step that is, the one before and the one after, and none twice or older than one that was
 * taken. The secret is at rest under a key made of the server's signing key, bound to its person: the database alone
 * tells no codes. With another signing key nothing opens any more, and the office resets the factor. How often
 * somebody may guess is counted by who asks (client-api/login_common.h, account_attempt). */
#ifndef PARTA_ACCOUNTS_SECOND_FACTOR_H
#define PARTA_ACCOUNTS_SECOND_FACTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"
#include "homeserver/store/matrix/second_factors.h"

struct accounts;
struct error;
struct tx;

#define FACTOR_SECRET_CHARS 32 /* base32 of 20 bytes */
#define RECOVERY_CODE_CHARS 19 /* "abcd-efgh-ijkm-npqr": 79 bits */

/* A new secret, in base32 as apps want it (RFC 4648, 6), with its NUL. It is nobody's until second_factor_set: the
 * caller keeps it between the page that shows it and the code that proves it. */
void second_factor_draw(char secret[FACTOR_SECRET_CHARS + 1]);

/* What the QR code says to the app (otpauth:). Appends. */
void second_factor_address(struct text *out, const struct accounts *accounts, const char *user_id, const char *secret);

/* From now on the person needs one: typed is a code of that secret, as their app shows it. In place of one that is
 * there. codes: told to them now, and never again. false: *e is ERROR_FORBIDDEN (the code is wrong), or
 * ERROR_INVALID_PARAM (that is no secret of second_factor_draw). Blocks for one job. */
bool second_factor_set(const struct accounts *accounts, user_no user, const char *secret, const char *typed,
                       char codes[RECOVERY_CODES_MAX][RECOVERY_CODE_CHARS + 1], struct error *e);

/* Inside a job: whether that is a code of now, or a recovery code; it is spent. True where the person has no second
 * factor. false: *e is ERROR_FORBIDDEN. */
bool second_factor_spend(struct tx *tx, const struct accounts *accounts, user_no user, const char *typed,
                         struct error *e);

/* The same as a job of its own. Blocks. */
bool second_factor_prove(const struct accounts *accounts, user_no user, const char *typed, struct error *e);

/* The person does without from now on; they have proven it (second_factor_prove). Blocks. */
bool second_factor_end(const struct accounts *accounts, user_no user, struct error *e);

#endif
