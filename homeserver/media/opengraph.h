/* What a web page says of itself, for whoever would open it (https://ogp.me/): its OpenGraph members, or else its title
 * and description. The page is anybody's: nothing of it is believed, kept or run, only texts are taken out of its head,
 * bounded, and shown as text. Pure. */
#ifndef PARTA_MEDIA_OPENGRAPH_H
#define PARTA_MEDIA_OPENGRAPH_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of UTF-8, cut behind a whole character; "": not said. */
#define OPENGRAPH_TITLE_MAX 300
#define OPENGRAPH_DESCRIPTION_MAX 1000
#define OPENGRAPH_WORD_MAX 100
struct opengraph {
    char title[OPENGRAPH_TITLE_MAX + 1], description[OPENGRAPH_DESCRIPTION_MAX + 1];
    char site_name[OPENGRAPH_WORD_MAX + 1], type[OPENGRAPH_WORD_MAX + 1];
};

/* Of the first bytes of a page in UTF-8 (of another encoding nothing is taken). In time proportional to len, without
 * memory of its own. false: it says nothing. */
bool opengraph_read(const char *html, size_t len, struct opengraph *out);

#endif
