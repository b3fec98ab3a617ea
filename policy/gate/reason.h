/* Reasons that the office must give: of an override, of a changed policy (school.md J2). */
#ifndef PARTA_POLICY_GATE_REASON_H
#define PARTA_POLICY_GATE_REASON_H

#include <stdbool.h>

#define REASON_LETTERS_MIN 10  /* letters and digits: ten dots, or ten zero-width spaces, say nothing */
#define REASON_DIFFERENT_MIN 4 /* of them: nor does "aaaaaaaaaa" */
#define REASON_BYTES_MAX 1000

/* Whether it says something: one line, long enough, of what can be seen. Any bytes. Pure. */
bool reason_valid(const char *reason);

#endif
