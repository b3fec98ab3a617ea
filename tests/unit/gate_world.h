/* A small school (school_people.h) that each test of the gate finds new: s. */
#ifndef PARTA_TESTS_GATE_WORLD_H
#define PARTA_TESTS_GATE_WORLD_H

#include <string.h>

#include "tests/unit/school_people.h"

static struct school_people s;

static int start(void **state)
{
    memset(&s, 0, sizeof s);
    school_people_start(&s);
    return 0;
}

static int stop(void **state)
{
    school_people_stop(&s);
    return 0;
}

#endif
