/* Reasons that the office must give: of an override, of a changed policy (school.md J2). */
#ifndef PARTA_POLICY_GATE_REASON_H
#define PARTA_POLICY_GATE_REASON_H

#include <stdbool.h>

#define REASON_CHARS_MIN 10
#define REASON_BYTES_MAX 1000

/* Whether it says something: long enough, without control characters. reason is valid UTF-8. Pure. */
bool reason_valid(const char *reason);

#endif
