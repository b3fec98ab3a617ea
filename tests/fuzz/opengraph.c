/* What web pages say of themselves: any page. Nothing is read beyond it, texts are bounded, in
 * UTF-8 and one line each. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"
#include "homeserver/media/opengraph.h"
#include "homeserver/media/previews.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(const char *field, size_t size)
{
    size_t len = strnlen(field, size);
    if (len >= size || !utf8_valid(field, len) || !text_is_line(field) || (len != 0 && field[len - 1] == ' '))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct opengraph page, again;
    char *html = xcalloc(1, len + 1); /* its own memory, no longer than it is */
    memcpy(html, bytes, len);
    bool says = opengraph_read(html, len, &page);
    check(page.title, sizeof page.title);
    check(page.description, sizeof page.description);
    check(page.site_name, sizeof page.site_name);
    check(page.type, sizeof page.type);
    if (says != (page.title[0] != '\0' || page.description[0] != '\0') || opengraph_read(html, len, &again) != says)
        abort();
    preview_url_good(html, OUTGOING_PUBLIC); /* NUL-terminated here */
    free(html);
    return 0;
}
