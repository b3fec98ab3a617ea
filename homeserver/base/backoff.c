#include "homeserver/base/backoff.h"

#include <sodium.h>

int64_t backoff_ms(int n, int64_t first_ms)
{
    int64_t wait = n <= 16 ? first_ms << (n - 1) : BACKOFF_MAX_MS;
    if (wait > BACKOFF_MAX_MS)
        wait = BACKOFF_MAX_MS;
    return wait + (int64_t)randombytes_uniform((uint32_t)wait / 4 + 1);
}
