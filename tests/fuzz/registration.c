/* Registrations of application services: whatever stands there is read, or refused with a reason; what was read
 * matches and clashes without end or harm. Its patterns alone: pattern.c. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "appservice/registration.h"
#include "homeserver/base/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static const char OTHER[] =
    "id: other\nurl: https://other.example\nas_token: 0123456789abcdef0123456789abcdef\n"
    "hs_token: fedcba9876543210fedcba9876543210\nsender_localpart: other\nnamespaces:\n"
    "  users: [{exclusive: true, regex: '@irc_.*'}, {exclusive: false, regex: '@b.*'}]\n"
    "  aliases: [{exclusive: true, regex: '#irc_.*'}]\n  rooms: [{exclusive: false, regex: '!r.*'}]\n";

/* Whoever is asked first, two clash or do not. */
static void check_clash(const struct registration_file *file)
{
    static struct registration_file *other;
    static const struct registration_place PLACE = {"school.example", false};
    struct text problem = TEXT_INIT;
    must(other != NULL || (other = registration_parse("o", OTHER, sizeof OTHER - 1, &PLACE, &problem)) != NULL);
    bool clash = registration_clash(file, other, &problem);
    must(clash == (problem.len != 0) && clash == registration_clash(other, file, &problem));
    must(!registration_has(file, NAMESPACE_USERS, other->sender_id, true) || clash);
    text_finish(&problem);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const struct registration_place PLACE = {"school.example", true};
    static bool started = false;
    must(started || (started = crypto_start()));
    struct text problem = TEXT_INIT;
    struct registration_file *file = registration_parse("f", (const char *)bytes, len, &PLACE, &problem);
    must((file == NULL) == (problem.len != 0));
    if (file != NULL) {
        must(registration_has(file, NAMESPACE_USERS, file->sender_id, true));
        check_clash(file);
        must(registration_clash(file, file, &problem));
        must(problem.data != NULL); /* it names the file by its id, which the token may be a part of */
        must(strstr(file->id, file->hs_token) != NULL || strstr(problem.data, file->hs_token) == NULL);
    }
    registration_free(file);
    text_finish(&problem);
    return 0;
}
