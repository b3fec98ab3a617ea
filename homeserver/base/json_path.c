#include "homeserver/base/json_path.h"

size_t json_path_split(struct text *out, const char *path)
{
    size_t n = 1;
    for (const char *p = path; *p != '\0'; ++p) {
        bool escape = *p == '\\' && (p[1] == '.' || p[1] == '\\');
        bool separates = *p == '.';
        p += escape;
        n += separates;
        text_addc(out, (char)(separates ? '\0' : *p));
    }
    text_addc(out, '\0');
    return n;
}
