#include "appservice/diary/icalendar_shape.h"

#include <string.h>
#include <strings.h>

#include "homeserver/base/text.h"

struct shape {
    struct text names[ICALENDAR_DEPTH_MAX]; /* of the components that are open */
    size_t lines[ICALENDAR_DEPTH_MAX];
    size_t depth, components;
};

/* As libical finds where a parameter ends. Beside a TZID it goes on behind the colon. */
static size_t parameters_of(const char *line)
{
    bool quoted = false, whole = strcasestr(line, "TZID") != NULL;
    size_t n = 0;
    for (char last = '\0'; *line != '\0'; last = *line++) {
        if (whole) {
            n += *line == ';';
        } else if (last == '\0' || last == '\\') {
            continue;
        } else if (*line == '"') {
            quoted = !quoted;
        } else if (!quoted && *line == ':') {
            break;
        } else if (!quoted && *line == ';') {
            ++n;
            if (*++line == '\0') /* of the next, whose first character is what it may be */
                break;
        }
    }
    return n;
}

/* The component's name, where the line is word ("BEGIN", "END"). NULL: it is something else. */
static const char *named(const char *line, const char *word)
{
    size_t len = strlen(word);
    return strncasecmp(line, word, len) == 0 && (line[len] == ':' || line[len] == ';') ? line + len + 1 : NULL;
}

static const char *take_line(struct shape *shape, const char *line)
{
    const char *begins = named(line, "BEGIN"), *ends = named(line, "END");
    if (*line == '\0' && shape->depth == 0)
        return NULL;
    if (begins != NULL) {
        if (shape->depth == ICALENDAR_DEPTH_MAX || ++shape->components > ICALENDAR_COMPONENTS_MAX)
            return "it has more than 10000 parts, or parts in parts in parts";
        shape->lines[shape->depth] = 0;
        text_clear(&shape->names[shape->depth]);
        text_adds(&shape->names[shape->depth++], begins);
    } else if (ends != NULL) {
        if (shape->depth == 0 || strcasecmp(shape->names[shape->depth - 1].data, ends) != 0)
            return "a part of it has no end";
        --shape->depth;
    } else if (shape->depth == 0) {
        return "it has lines that are in no part";
    } else if (++shape->lines[shape->depth - 1] > ICALENDAR_LINES_MAX ||
               parameters_of(line) > ICALENDAR_PARAMETERS_MAX) {
        return "a part of it has too many lines, or a line too many parameters";
    }
    return NULL;
}

/* The next line of text, unfolded. Behind it; NULL: it is too long. */
static const char *unfold(const char *text, struct text *line)
{
    text_clear(line);
    text_adds(line, "");
    for (bool more = true; more; more = *text == ' ' || *text == '\t') {
        size_t len = strcspn(text, "\n");
        size_t kept = len;
        while (kept != 0 && strchr("\r\t ", text[kept - 1]) != NULL)
            --kept;
        if (line->len + kept > ICALENDAR_LINE_BYTES_MAX)
            return NULL;
        text_add(line, text, kept);
        text += len + (text[len] != '\0');
    }
    return text;
}

const char *icalendar_shape_fault(const char *text)
{
    struct shape shape = {0};
    struct text line = TEXT_INIT;
    const char *fault = NULL;
    while (fault == NULL && *text != '\0') {
        text = unfold(text, &line);
        fault = text != NULL ? take_line(&shape, line.data) : "a line of it is longer than 256 KiB";
    }
    if (fault == NULL && shape.depth != 0)
        fault = "a part of it has no end";
    for (size_t i = 0; i < ICALENDAR_DEPTH_MAX; ++i)
        text_finish(&shape.names[i]);
    text_finish(&line);
    return fault;
}
