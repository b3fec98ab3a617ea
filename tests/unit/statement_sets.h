/* Every table of statements that the program was linked with (homeserver/store/driver/db.h, STATEMENTS). For programs
 * that link the whole library. */
#ifndef PARTA_TESTS_STATEMENT_SETS_H
#define PARTA_TESTS_STATEMENT_SETS_H

#include "homeserver/store/driver/db.h"

extern const struct statements *const __start_parta_statements[], *const __stop_parta_statements[]; /* by the linker */

#define each_statement_set(set)                                                                                        \
    for (const struct statements *const *set##_at = __start_parta_statements, *set;                                    \
         set##_at < __stop_parta_statements && (set = *set##_at, true); ++set##_at)

#endif
