/* Files of keys and secrets: whatever stands there is read or refused with a reason, and what was
 * read is of its form. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/keyfile.h"
#include "homeserver/base/secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_key(const char *path)
{
    struct signing_key key;
    struct text problem = TEXT_INIT;
    bool read = keyfile_load(path, NULL, &key, &problem);
    must(read == (problem.len == 0));
    must(!read || (strncmp(key.id, "ed25519:", 8) == 0 && key.id[8] != '\0' && strlen(key.id) < sizeof key.id));
    text_finish(&problem);
}

static void check_secret(const char *path, const uint8_t *bytes, size_t len)
{
    struct text problem = TEXT_INIT;
    char *secret = secret_read("roster.client_secret_file", path, &problem);
    must((secret != NULL) == (problem.len == 0));
    must(secret == NULL || (*secret != '\0' && strlen(secret) <= len && memcmp(secret, bytes, strlen(secret)) == 0));
    secret_free(secret);
    text_finish(&problem);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static int file = -1;
    static char path[40];
    if (file < 0) {
        file = crypto_start() ? memfd_create("fuzz", 0) : -1;
        must(file >= 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    must(ftruncate(file, 0) == 0 && pwrite(file, bytes, len, 0) == (ssize_t)len);
    check_key(path);
    check_secret(path, bytes, len);
    return 0;
}
