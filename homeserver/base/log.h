/* The log: one line an event on standard error, "time level area message key=value …".
 *
 * Values are quoted when they hold anything but plain characters, so that nothing a client sends can forge a line.
 * Never log a password, token, message text, e-mail address or phone number: say which user by id, which room by id. */
#ifndef PARTA_BASE_LOG_H
#define PARTA_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level);                   /* any thread, any time (SIGHUP) */
bool log_level_from(const char *name, enum log_level *out); /* "error", "warn", "info", "debug" */
/* Whether such a line would be written: asked before one that costs much to make. Any thread. */
bool log_enabled(enum log_level level);

/* One line. area: a word ("http", "store"). keys: "key", value pairs of const char *, ended by NULL. */
void log_line(enum log_level level, const char *area, const char *message, ...) __attribute__((sentinel));

/* The same with a printf message, for causes; what it prints is quoted as one value. */
void log_error(const char *area, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_warn(const char *area, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_info(const char *area, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
