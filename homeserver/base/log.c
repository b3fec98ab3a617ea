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

#define LINE_BYTES 256 /* as most lines are */

/* An answer has a line, and what many wait for has thousands of answers: no printf, and a second is spelled once. */
static void begin(struct text *line, enum log_level level, const char *area)
{
    static _Thread_local struct {
        time_t second;
        char text[32];
    } last;
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != last.second || last.text[0] == '\0') {
        gmtime_r(&now.tv_sec, &utc);
        strftime(last.text, sizeof last.text, "%Y-%m-%dT%H:%M:%S.", &utc);
        last.second = now.tv_sec;
    }
    int ms = (int)(now.tv_nsec / 1000000);
    const char digits[] = {(char)('0' + ms / 100), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10)};
    text_reserve(line, LINE_BYTES);
    text_adds(line, last.text);
    text_add(line, digits, sizeof digits);
    text_put(line, "Z ");
    text_adds(line, LEVELS[level]);
    text_addc(line, ' ');
    text_adds(line, area);
    text_addc(line, ' ');
}

static bool is_plain(char c)
{
    char letter = (char)(c | 0x20);
    return (letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("_-.,:;/@!#$+{}*", c) != NULL);
}

static void add_value(struct text *line, const char *value)
{
    size_t len = 0;
    while (is_plain(value[len]))
        ++len;
    if (len != 0 && value[len] == '\0') {
        text_add(line, value, len);
        return;
    }
    struct text quoted = TEXT_INIT;
    text_add_json(&quoted, value);
    text_add_visible(line, quoted.data, quoted.len, false);
    text_finish(&quoted);
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
        text_addc(&line, ' ');
        text_adds(&line, key);
        text_addc(&line, '=');
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
