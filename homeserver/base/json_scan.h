/* Reading a few properties out of JSON text without building a tree.
 *
 * Meant for what the store holds: valid, canonical JSON of an event's content. On anything else nothing breaks, but the
 * answers may be wrong: a thing that cannot be read is absent. Spaces between tokens are accepted. */
#ifndef PARTA_BASE_JSON_SCAN_H
#define PARTA_BASE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where reading stands in the text [p, end). */
struct json_scan {
    const char *p, *end;
};

/* A value as it is written. */
struct json_scan_value {
    const char *s; /* a string: behind its quote; else its first character */
    size_t len;    /* a string: up to its closing quote */
    char kind; /* '"' string, '{' object, '[' array, 't' true, 'f' false, 'n' null, 'i' integer, '?' other; 0: none */
    bool escaped; /* a string with backslashes in it */
};

/* Enters an object ('{') or array ('['). false: it is none, or empty; the value may be of kind 0. */
bool json_scan_enter(struct json_scan *in, const struct json_scan_value *value, char kind);

/* The value that stands in text. kind 0: none that can be read. */
struct json_scan_value json_scan_text(const char *text, size_t len);

/* The next member of the entered object, the next item of the entered array. false: the end, or not readable. */
bool json_scan_member(struct json_scan *in, struct json_scan_value *key, struct json_scan_value *value);
bool json_scan_item(struct json_scan *in, struct json_scan_value *value);

/* The same walk without passing over a value twice: the next member's key, behind which its value stands (false: the
 * object's end, which is passed, or not readable), then json_scan_item; or, where the value is an object,
 * json_scan_go_in (false: it is none), its members, and json_scan_go_on behind its end. */
bool json_scan_key(struct json_scan *in, struct json_scan_value *key);
bool json_scan_go_in(struct json_scan *in);
void json_scan_go_on(struct json_scan *in);

/* The property at the end of a path of n names, each as canonical JSON writes it without its quotes and with a NUL
 * behind. kind 0: there is none. */
struct json_scan_value json_scan_find(const struct json_scan_value *object, const char *names, size_t n);

/* Writes a string without its escapes to out, which has room for value->len bytes (it never becomes longer). Returns
 * its length. */
size_t json_scan_unescape(char *out, const struct json_scan_value *value);

int64_t json_scan_integer(const struct json_scan_value *value); /* of kind 'i' */

#endif
