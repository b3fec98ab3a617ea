#include "client-api/pages/view_rows.h"

#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"

void *view_rows_add(struct view_rows *rows, size_t size)
{
    rows->all = xrealloc(rows->all, (rows->n + 1) * size);
    return memset((char *)rows->all + rows->n++ * size, 0, size);
}

const char *view_rows_text(struct view_rows *rows, const char *text)
{
    if (text == NULL)
        return NULL;
    rows->texts = xrealloc(rows->texts, (rows->n_texts + 1) * sizeof *rows->texts);
    return rows->texts[rows->n_texts++] = xstrdup(text);
}

void view_rows_finish(struct view_rows *rows)
{
    for (size_t i = 0; i < rows->n_texts; ++i)
        free(rows->texts[i]);
    free(rows->texts);
    free(rows->all);
}
