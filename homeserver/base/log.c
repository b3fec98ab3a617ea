#include "homeserver/base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "homeserver/base/names.h"
#include "homeserver/base/text.h"
#include "homeserver/base/words.h"

static const char *const LEVELS[] = {"error", "warn", "info", "debug"};
static _Atomic int threshold = LOG_INFO;

void log_set_level(enum log_level level)
{
    threshold = (int)level;
}

bool log_level_from(const char *name, enum log_level *out)
{
    int i = WORD_FIND(LEVELS, name);
    if (i >= 0)
        *out = (enum log_level)i;
    return i >= 0;
}

bool log_enabled(enum log_level level)
{
    return (int)level <= threshold;
}

static void begin(struct text *line, enum log_level level, const char *area)
{
    struct timespec now;
    struct tm utc;
    char stamp[32];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    text_addf(line, "%s.%03ldZ %s %s ", stamp, now.tv_nsec / 1000000, LEVELS[level], area);
}

static void add_value(struct text *line, const char *value)
{
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.,:;/@!#$+{}*";
    if (value[0] != '\0' && value[strspn(value, PLAIN)] == '\0')
        text_adds(line, value);
    else {
        struct text quoted = TEXT_INIT;
        text_add_json(&quoted, value);
        text_add_visible(line, quoted.data, quoted.len, false);
        text_finish(&quoted);
    }
}

static void end(struct text *line)
{
    text_addc(line, '\n');
    ssize_t written = write(STDERR_FILENO, line->data, line->len); /* one write: lines of threads do not mix */
    (void)written;
    text_finish(line);
}

void log_line(enum log_level level, const char *area, const char *message, ...)
{
    if (!log_enabled(level))
        return;
    struct text line = TEXT_INIT;
    begin(&line, level, area);
    text_adds(&line, message);
    va_list ap;
    va_start(ap, message);
    for (const char *key; (key = va_arg(ap, const char *)) != NULL;) {
        const char *value = va_arg(ap, const char *);
        text_addf(&line, " %s=", key);
        add_value(&line, value != NULL ? value : "");
    }
    va_end(ap);
    end(&line);
}

static void log_formatted(enum log_level level, const char *area, const char *fmt, va_list ap)
{
    char message[1024];
    if (!log_enabled(level))
        return;
    vsnprintf(message, sizeof message, fmt, ap);
    struct text line = TEXT_INIT;
    begin(&line, level, area);
    add_value(&line, message);
    end(&line);
}

void log_error(const char *area, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    log_formatted(LOG_ERROR, area, fmt, ap);
    va_end(ap);
}

void log_warn(const char *area, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    log_formatted(LOG_WARN, area, fmt, ap);
    va_end(ap);
}

void log_info(const char *area, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    log_formatted(LOG_INFO, area, fmt, ap);
    va_end(ap);
}
