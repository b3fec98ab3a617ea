/* How long to wait before what has failed is tried again: twice as long each time, up to a minute, and with some chance
 * in it, so that many who failed together do not come back together. */
#ifndef PARTA_BASE_BACKOFF_H
#define PARTA_BASE_BACKOFF_H

#include <stdint.h>

#define BACKOFF_MAX_MS 60000

/* After the nth failure in a row, n ≥ 1: first_ms · 2^(n−1), at most BACKOFF_MAX_MS, and up to a quarter more. */
int64_t backoff_ms(int n, int64_t first_ms);

#endif
