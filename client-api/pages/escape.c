#include "client-api/pages/escape.h"

#include <string.h>

#include "homeserver/base/percent.h"

static const char *entity(char c)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return NULL;
    }
}

void put_text(struct text *out, const char *s)
{
    for (; s != NULL && *s != '\0'; ++s) {
        const char *escaped = entity(*s);
        if (escaped != NULL)
            text_adds(out, escaped);
        else if (((unsigned char)*s >= ' ' || *s == '\n' || *s == '\t') && *s != 0x7f)
            text_addc(out, *s);
    }
}

bool path_is_local(const char *path)
{
    if (path == NULL || path[0] != '/' || path[1] == '/' || path[1] == '\\')
        return false;
    for (const char *at = path; *at != '\0'; ++at)
        if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f || *at == '\\')
            return false;
    return true;
}

void put_url(struct text *out, const char *url)
{
    static const char *const SCHEMES[] = {"https://", "mailto:", "data:image/svg+xml"};
    bool known = path_is_local(url);
    for (size_t i = 0; url != NULL && i < sizeof SCHEMES / sizeof *SCHEMES && !known; ++i)
        known = strncmp(url, SCHEMES[i], strlen(SCHEMES[i])) == 0;
    put_text(out, known ? url : "#");
}

void put_url_piece(struct text *out, const char *s)
{
    if (s != NULL)
        text_add_percent(out, s);
}

void put_html(struct text *out, const struct text *html)
{
    if (html != NULL)
        text_add(out, html->data != NULL ? html->data : "", html->len);
}
