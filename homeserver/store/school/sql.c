#include <stdio.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "homeserver/store/school/sql_private.h"

school_day col_day(struct stmt *q, int column)
{
    const char *text = col_text(q, column);
    school_day day = text == NULL || *text == '\0' ? DAY_EVER : day_from(text);
    return day < 0 ? DAY_EVER : day;
}

const char *day_column(school_day day, char out[DAY_TEXT_BYTES])
{
    return day == DAY_EVER ? "" : day_text(day, out);
}

enum school_role col_role(struct stmt *q, int column)
{
    return (enum school_role)school_role_from(col_text(q, column));
}

const char *source_column(const char *source)
{
    return source != NULL ? source : SOURCE_ROSTER;
}

void *strings_keep(const char **const *strings, size_t n)
{
    size_t total = 1;
    for (size_t i = 0; i < n; ++i)
        total += *strings[i] != NULL ? strlen(*strings[i]) + 1 : 0;
    char *memory = xcalloc(total, 1), *at = memory;
    for (size_t i = 0; i < n; ++i) {
        size_t len = *strings[i] != NULL ? strlen(*strings[i]) + 1 : 0;
        if (len != 0)
            *strings[i] = memcpy(at, *strings[i], len);
        at += len;
    }
    return memory;
}

int take_numbers(struct stmt *q, int64_t *out, int max)
{
    int n = 0;
    for (; stmt_next(q); ++n)
        if (n < max)
            out[n] = col_int(q, 0);
    stmt_end(q);
    return n;
}

bool take_source(struct stmt *q, char source[SOURCE_BYTES])
{
    bool found = stmt_next(q);
    snprintf(source, SOURCE_BYTES, "%s", found ? col_text(q, 0) : "");
    stmt_end(q);
    return found;
}
