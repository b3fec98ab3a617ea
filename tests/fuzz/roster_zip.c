/* Roster archives: no bytes may crash or leak; what is read is consistent. */
#include <stdint.h>
#include <stdlib.h>

#include "policy/oneroster/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(const struct roster *roster)
{
    for (size_t i = 0; i < roster->n_classes; ++i)
        if (roster->classes[i].school >= roster->n_schools)
            abort();
    for (size_t i = 0; i < roster->n_enrollments; ++i)
        if (roster->enrollments[i].class >= roster->n_classes || roster->enrollments[i].person >= roster->n_people)
            abort();
    for (size_t i = 0; i < roster->n_people; ++i)
        if (id_map_find(roster->person_ids, roster->people[i].id) != i)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct roster_problem problem;
    struct roster *roster = roster_read_bytes(bytes, len, &problem);
    if (roster != NULL)
        check(roster);
    else if (*problem.message == '\0')
        abort();
    roster_destroy(roster);
    return 0;
}
