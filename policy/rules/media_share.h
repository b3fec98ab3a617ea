/* How large a file may be, and how much somebody may keep (school.md J5, docs/policy.md "media"): by the largest tier
 * of their roles in a school, and by that school's policy. Who belongs to several schools has a share in each, and a
 * file counts for one of them. Pure. */
#ifndef PARTA_POLICY_RULES_MEDIA_SHARE_H
#define PARTA_POLICY_RULES_MEDIA_SHARE_H

#include <stdint.h>

#include "policy/rules/refusals.h"
#include "policy/rules/school_policy.h"

#define MEDIA_BYTES_LEAST 4096 /* that a file counts for in a quota */

struct media_share {
    int64_t file_max; /* bytes of one file */
    int64_t quota;    /* bytes of all; −1: no bound */
    int64_t used;     /* bytes there are */
};

enum media_tier media_tier_of(unsigned roles); /* enum school_role; of none of them the least: MEDIA_PUPIL */

/* For which of n shares, n > 0, a file of so many bytes counts: the first that has room. RULE_NONE: *which. Otherwise
 * why for none, and *most: the bytes that one file may have at most (RULE_J5_FILE_TOO_LARGE), or
 * all (RULE_J5_QUOTA). */
enum rule_refusal media_choose(const struct media_share *shares, int n, int64_t bytes, int *which, int64_t *most);

int64_t media_largest(const struct media_share *shares, int n); /* bytes of the largest file there may be */

#endif
