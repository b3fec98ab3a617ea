#include "policy/rules/media_share.h"

enum media_tier media_tier_of(unsigned roles)
{
    return (roles & (ROLES_STAFF | ROLE_EXTERNAL)) != 0 ? MEDIA_STAFF
           : (roles & ROLE_GUARDIAN) != 0               ? MEDIA_GUARDIAN
                                                        : MEDIA_PUPIL;
}

int64_t media_largest(const struct media_share *shares, int n)
{
    int64_t largest = 0;
    for (int i = 0; i < n; ++i)
        if (shares[i].file_max > largest)
            largest = shares[i].file_max;
    return largest;
}

enum rule_refusal media_choose(const struct media_share *shares, int n, int64_t bytes, int *which, int64_t *most)
{
    int64_t counted = bytes < MEDIA_BYTES_LEAST ? MEDIA_BYTES_LEAST : bytes;
    *most = media_largest(shares, n);
    if (bytes > *most)
        return RULE_J5_FILE_TOO_LARGE;
    *most = 0;
    for (*which = 0; *which < n; ++*which) {
        const struct media_share *share = &shares[*which];
        if (bytes > share->file_max)
            continue;
        if (share->quota < 0 || (share->used <= share->quota && counted <= share->quota - share->used))
            return RULE_NONE;
        if (share->quota > *most)
            *most = share->quota;
    }
    return RULE_J5_QUOTA;
}
