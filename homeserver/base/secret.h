/* Secrets that stand in files of their own, so that the configuration can be shown. */
#ifndef PARTA_BASE_SECRET_H
#define PARTA_BASE_SECRET_H

#include <stdbool.h>

#include "homeserver/base/text.h"

/* The first line of the file at path: heap. path NULL: NULL, without a problem. NULL with *problem: it cannot be read,
 * is empty, too long, or holds control characters. setting names it in the problem. Blocks. */
char *secret_read(const char *setting, const char *path, struct text *problem);
void secret_free(char *secret); /* wipes it; NULL is accepted */

#endif
