#include "policy/gate/reason.h"

#include "homeserver/base/names.h"

bool reason_valid(const char *reason)
{
    size_t different;
    return name_fault(reason, REASON_BYTES_MAX) == NULL && text_letters(reason, &different) >= REASON_LETTERS_MIN &&
           different >= REASON_DIFFERENT_MIN;
}
