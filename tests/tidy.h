/* For tests/tidy, which includes it before every file: macros of libraries in words that clang-tidy's analyzer can
 * follow. Nothing is built with it. */
#include <uthash.h>

/* It takes an element that is freed after HASH_DEL for one that is still in the table, and the bytes
 * of a key for garbage. */
unsigned uthash_of(const void *key, size_t len);

#undef HASH_FUNCTION
#define HASH_FUNCTION(key, len, hash) ((hash) = uthash_of((key), (len)))

#undef HASH_DELETE
#define HASH_DELETE(hh, head, element) ((head) = (head) == (element) ? (element)->hh.next : (head))

/* It does not know that what refuses answers false. */
#ifndef TIDY_REFUSES
#include "homeserver/base/error.h"
#define error_set(...) (error_set(__VA_ARGS__), false)
#ifndef TIDY_TESTS
#include "policy/rules/refusals.h"
#define rule_refuse(...) (rule_refuse(__VA_ARGS__), false)
#endif
#endif

/* It does not see that a list's head changes when its first element is unlinked. */
#ifdef TIDY_HTTP
#include <stdbool.h>
#include <h2o.h>
bool list_is_empty(h2o_linklist_t *list);
#define h2o_linklist_is_empty list_is_empty
#endif

#ifdef TIDY_TESTS
/* It does not know that a test ends where an assertion of cmocka fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#undef assert_true
#undef assert_false
#undef assert_non_null
#undef assert_null
#undef fail_msg
#define assert_true(c) ((c) ? (void)0 : abort())
#define assert_false(c) ((c) ? abort() : (void)0)
#define assert_non_null(c) ((c) != NULL ? (void)0 : abort())
#define assert_null(c) ((c) != NULL ? abort() : (void)0)
#define fail_msg(...) (print_error(__VA_ARGS__), abort())
#endif
