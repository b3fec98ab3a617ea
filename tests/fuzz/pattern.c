/* Patterns of application services' namespaces, a line each, and a name behind them: whatever is written is read, or
 * refused with a reason; two that match the name have one in common, whichever is asked first. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "appservice/pattern.h"
#include "homeserver/base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static struct pattern *compile(const char *text)
{
    const char *problem = NULL;
    struct pattern *pattern = pattern_compile(text, &problem);
    must((pattern == NULL) == (problem != NULL));
    return pattern;
}

static char *line(char **at)
{
    char *from = *at;
    char *end = from + strcspn(from, "\n");
    *at = *end != '\0' ? end + 1 : end;
    *end = '\0';
    return from;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *whole = xstrndup((const char *)bytes, len), *at = whole;
    struct pattern *a = compile(line(&at)), *b = compile(line(&at));
    if (a != NULL && b != NULL) {
        bool meet = pattern_meets(a, b), match = pattern_matches(a, at) && pattern_matches(b, at);
        must(meet == pattern_meets(b, a) && (meet || !match));
    } else if (a != NULL) {
        must(pattern_meets(a, a) || !pattern_matches(a, at));
    }
    pattern_destroy(a);
    pattern_destroy(b);
    free(whole);
    return 0;
}
