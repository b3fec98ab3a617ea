#include "homeserver/store/school/source.h"

#include <stddef.h>
#include <string.h>

bool source_is_roster(const char *source)
{
    return source != NULL && strcmp(source, SOURCE_SCHOOL) != 0 && strcmp(source, SOURCE_DERIVED) != 0;
}
