/* For tests/tidy, which includes it before every file: uthash in words that the analyzer of clang-tidy can follow. It takes an element that
 * is freed after HASH_DEL for one that is still in the table, and a key's padding-free bytes for garbage. Nothing is built with it. */
#include <uthash.h>

unsigned uthash_of(const void *key, size_t len);

#undef HASH_FUNCTION
#define HASH_FUNCTION(key, len, hash) ((hash) = uthash_of((key), (len)))

#undef HASH_DELETE
#define HASH_DELETE(hh, head, element) ((head) = (head) == (element) ? (element)->hh.next : (head))
