/* A growing run of bytes: how replies, canonical JSON and rendered events are put together.
 *
 * Memory: TEXT_INIT/text_finish around it; data is always NUL-terminated once something was added (the NUL is not part
 * of len). Running out of memory aborts: what goes in was bounded before. */
#ifndef PARTA_BASE_TEXT_H
#define PARTA_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
    char *data;      /* heap; NULL while nothing was added */
    size_t len, cap; /* bytes */
};

#define TEXT_INIT ((struct text){0})

void text_finish(struct text *t); /* frees data and empties t; NULL is accepted */
void text_clear(struct text *t);  /* len = 0, keeps the memory */
/* Room for so many bytes more and a NUL: until they are used up nothing moves data. Ends the
 * process when memory does. */
void text_reserve(struct text *t, size_t more);

/* Here and below: a NUL stands behind what was added, which len does not count. bytes must not lie in t. */
void text_add(struct text *t, const char *bytes, size_t len);

/* A NUL-terminated string; here, so that the length of a literal is known when it is compiled. */
static inline void text_adds(struct text *t, const char *s)
{
    text_add(t, s, strlen(s));
}

/* The same for a short literal where time counts: where there is room, its bytes are written in place. */
static inline void text_put(struct text *t, const char *literal)
{
    size_t len = strlen(literal);
    if (t->cap - t->len <= len) { /* of an empty one, too */
        text_add(t, literal, len);
        return;
    }
    memcpy(t->data + t->len, literal, len + 1);
    t->len += len;
}

void text_addc(struct text *t, char c);       /* c: any byte, '\0' too */
void text_add_int(struct text *t, int64_t n); /* decimal */
/* What fmt names must not lie in t. */
void text_addf(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What is wrong, in the place of what there was: always false, so that failing is one line. What fmt names may lie in
 * t itself. */
bool text_fail(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A JSON string with its quotes, escaped as canonical JSON wants it: control characters as \b \t \n \f \r or \u00xx in
 * lower case, quote and backslash, everything else as it is (Matrix, Appendices, "Canonical
 * JSON"). s is valid UTF-8. */
void text_add_json_string(struct text *t, const char *s, size_t len);
void text_add_json(struct text *t, const char *s); /* the same for a NUL-terminated string */

/* Gives the bytes away: the caller frees them. t is empty afterwards. Never NULL. */
char *text_take(struct text *t);

/* Allocation that aborts instead of failing; free() releases. */
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);

bool text_is_line(const char *s); /* no control characters (C0, DEL): it can stand in one line, a log, a form */

#endif
