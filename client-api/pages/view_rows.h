/* The rows of a list in a page's view, which a look-up tells one after the other, and copies of what they say, which
 * lies no longer than the look-up goes on. All zero: none. */
#ifndef PARTA_CLIENT_API_PAGES_VIEW_ROWS_H
#define PARTA_CLIENT_API_PAGES_VIEW_ROWS_H

#include <stddef.h>

struct view_rows {
    void *all; /* n of them, as the view's pointer to the list wants them; NULL while there is none */
    size_t n;
    char **texts;
    size_t n_texts;
};

/* One more, of size bytes (the same at each call), all zero; borrowed until the next is added. */
void *view_rows_add(struct view_rows *rows, size_t size);

/* A copy that lives as long as rows; NULL of NULL. */
const char *view_rows_text(struct view_rows *rows, const char *text);

void view_rows_finish(struct view_rows *rows); /* frees rows and texts, which are not valid any more */

#endif
