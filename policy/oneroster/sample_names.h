/* The names of the sample: pairs of a man's and a woman's form. */
#ifndef PARTA_POLICY_ONEROSTER_SAMPLE_NAMES_H
#define PARTA_POLICY_ONEROSTER_SAMPLE_NAMES_H

#include <stddef.h>

struct name_pair {
    const char *man, *woman;
};

extern const struct name_pair SAMPLE_SURNAMES[];
extern const size_t SAMPLE_SURNAMES_COUNT;

/* A father's name and the patronymics of his son and daughter. */
struct father_name {
    const char *name, *son, *daughter;
};
extern const struct father_name SAMPLE_FATHERS[];
extern const size_t SAMPLE_FATHERS_COUNT;

extern const char *const SAMPLE_MEN[], *const SAMPLE_WOMEN[];
extern const size_t SAMPLE_MEN_COUNT, SAMPLE_WOMEN_COUNT;

#endif
