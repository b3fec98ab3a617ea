#include "homeserver/base/secret.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_BYTES_MAX 4096

char *secret_read(const char *setting, const char *path, struct text *problem)
{
    char line[SECRET_BYTES_MAX + 2] = "", *secret = NULL;
    FILE *f = path != NULL ? fopen(path, "re") : NULL;
    if (path == NULL)
        return NULL;
    const char *read = f != NULL ? fgets(line, sizeof line, f) : NULL;
    line[strcspn(line, "\r\n")] = '\0';
    if (f == NULL)
        text_addf(problem, "%s: %s: %s", setting, path, strerror(errno));
    else if (read == NULL || line[0] == '\0' || strlen(line) > SECRET_BYTES_MAX || !text_is_line(line))
        text_addf(problem, "%s: %s: its first line must hold the secret, of at most %d characters", setting, path,
                  SECRET_BYTES_MAX);
    else
        secret = xstrdup(line);
    if (f != NULL)
        fclose(f);
    sodium_memzero(line, sizeof line);
    return secret;
}

void secret_free(char *secret)
{
    if (secret != NULL)
        sodium_memzero(secret, strlen(secret));
    free(secret);
}
