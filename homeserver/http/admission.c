#include "homeserver/http/admission.h"

#define CONNECTIONS_MIN 16

static size_t share_of(const struct admission_bounds *bounds)
{
    return bounds->of_address != 0 ? bounds->of_address : bounds->max - bounds->max / 2;
}

static bool is_nearly(size_t n, size_t max)
{
    return n > max - max / 10;
}

bool admission_is_crowded(const struct admission_bounds *bounds, size_t all, size_t own)
{
    return is_nearly(all, bounds->max) || is_nearly(own, share_of(bounds));
}

enum admission admission_of(const struct admission_bounds *bounds, size_t all, size_t own)
{
    size_t left = all < bounds->max ? bounds->max - all : 0, share = share_of(bounds);
    if (own >= share || (own > 0 && own >= left))
        return ADMISSION_REFUSED;
    return admission_is_crowded(bounds, all + 1, own + 1) ? ADMISSION_BRIEF : ADMISSION_FULL;
}

size_t admission_fitting(size_t descriptors, size_t others)
{
    size_t fit = descriptors > 2 * others ? descriptors - others : descriptors / 2;
    return fit > CONNECTIONS_MIN ? fit : CONNECTIONS_MIN;
}
