#include "policy/gate/reason.h"

#include <stddef.h>

bool reason_valid(const char *reason)
{
    size_t bytes = 0, characters = 0;
    for (; reason[bytes] != '\0' && bytes <= REASON_BYTES_MAX; ++bytes) {
        unsigned char c = (unsigned char)reason[bytes];
        if (c < ' ' || c == 0x7f)
            return false;
        characters += (c & 0xc0) != 0x80 && c != ' ';
    }
    return bytes <= REASON_BYTES_MAX && characters >= REASON_CHARS_MIN;
}
