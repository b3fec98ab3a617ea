#include "homeserver/outgoing/curl_library.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "homeserver/base/log.h"

/* Type-checking macros of the same names, for callers. */
#undef curl_easy_getinfo
#undef curl_easy_setopt

/* Newer headers promise that it is only read. */
#if LIBCURL_VERSION_NUM >= 0x080000
#define READ_CURLU const CURLU
#else
#define READ_CURLU CURLU
#endif

/* What is used of libcurl: each is defined below under its own name and hands over to the one that was loaded. */
#define FUNCTIONS(VALUE, NOTHING)                                                                                      \
    VALUE(CURL *, curl_easy_init, (void), ())                                                                          \
    VALUE(const char *, curl_easy_strerror, (CURLcode code), (code))                                                   \
    VALUE(time_t, curl_getdate, (const char *date, const time_t *unused), (date, unused))                              \
    VALUE(CURLcode, curl_global_init, (long flags), (flags))                                                           \
    VALUE(CURLMcode, curl_multi_add_handle, (CURLM * multi, CURL * easy), (multi, easy))                               \
    VALUE(CURLMcode, curl_multi_cleanup, (CURLM * multi), (multi))                                                     \
    VALUE(CURLMsg *, curl_multi_info_read, (CURLM * multi, int *n), (multi, n))                                        \
    VALUE(CURLM *, curl_multi_init, (void), ())                                                                        \
    VALUE(CURLMcode, curl_multi_perform, (CURLM * multi, int *n), (multi, n))                                          \
    VALUE(CURLMcode, curl_multi_poll, (CURLM * multi, struct curl_waitfd more[], unsigned n, int ms, int *ready),      \
          (multi, more, n, ms, ready))                                                                                 \
    VALUE(CURLMcode, curl_multi_remove_handle, (CURLM * multi, CURL * easy), (multi, easy))                            \
    VALUE(CURLMcode, curl_multi_wakeup, (CURLM * multi), (multi))                                                      \
    VALUE(struct curl_slist *, curl_slist_append, (struct curl_slist * list, const char *item), (list, item))          \
    VALUE(CURLU *, curl_url, (void), ())                                                                               \
    VALUE(CURLUcode, curl_url_get, (READ_CURLU * url, CURLUPart part, char **out, unsigned flags),                     \
          (url, part, out, flags))                                                                                     \
    VALUE(CURLUcode, curl_url_set, (CURLU * url, CURLUPart part, const char *value, unsigned flags),                   \
          (url, part, value, flags))                                                                                   \
    NOTHING(curl_easy_cleanup, (CURL * easy), (easy))                                                                  \
    NOTHING(curl_free, (void *memory), (memory))                                                                       \
    NOTHING(curl_slist_free_all, (struct curl_slist * list), (list))                                                   \
    NOTHING(curl_url_cleanup, (CURLU * url), (url))

#define MEMBER(type, name, parameters, arguments) type(*name) parameters;
#define MEMBER_OF_NOTHING(name, parameters, arguments) void(*name) parameters;
static struct {
    FUNCTIONS(MEMBER, MEMBER_OF_NOTHING)
    CURLcode (*curl_easy_getinfo)(CURL *easy, CURLINFO info, ...);
    CURLcode (*curl_easy_setopt)(CURL *easy, CURLoption option, ...);
} loaded;

#define HAND_OVER(type, name, parameters, arguments)                                                                   \
    type name parameters                                                                                               \
    {                                                                                                                  \
        return loaded.name arguments;                                                                                  \
    }
#define HAND_OVER_NOTHING(name, parameters, arguments)                                                                 \
    void name parameters                                                                                               \
    {                                                                                                                  \
        loaded.name arguments;                                                                                         \
    }
FUNCTIONS(HAND_OVER, HAND_OVER_NOTHING)

CURLcode curl_easy_getinfo(CURL *easy, CURLINFO info, ...)
{
    va_list rest;
    va_start(rest, info);
    void *out = va_arg(rest, void *); /* always a pointer */
    va_end(rest);
    return loaded.curl_easy_getinfo(easy, info, out);
}

/* The number of an option tells the type of its value (curl/curl.h, CURLOPTTYPE_…); where long has
 * 64 bits, two are one. */
CURLcode curl_easy_setopt(CURL *easy, CURLoption option, ...)
{
    va_list rest;
    CURLcode code;
    va_start(rest, option);
    if (option < CURLOPTTYPE_OBJECTPOINT)
        code = loaded.curl_easy_setopt(easy, option, va_arg(rest, long)); // NOLINT(bugprone-branch-clone)
    else if (option >= CURLOPTTYPE_OFF_T && option < CURLOPTTYPE_BLOB)
        code = loaded.curl_easy_setopt(easy, option, va_arg(rest, curl_off_t));
    else
        code = loaded.curl_easy_setopt(easy, option, va_arg(rest, void *)); /* POSIX: functions' addresses, too */
    va_end(rest);
    return code;
}

static bool found;

static void load(void)
{
#define NAME(type, name, parameters, arguments) {#name, &loaded.name},
#define NAME_OF_NOTHING(name, parameters, arguments) {#name, &loaded.name},
    static const struct {
        const char *name;
        void *into; /* a pointer to a function */
    } NAMES[] = {FUNCTIONS(NAME, NAME_OF_NOTHING){"curl_easy_getinfo", &loaded.curl_easy_getinfo},
                 {"curl_easy_setopt", &loaded.curl_easy_setopt}};
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    found = library != NULL;
    for (size_t i = 0; found && i < sizeof NAMES / sizeof *NAMES; ++i) {
        void *address = dlsym(library, NAMES[i].name);
        memcpy(NAMES[i].into, &address, sizeof address);
        found = address != NULL;
    }
    if (!found)
        log_error("outgoing", "libcurl cannot be loaded: %s", dlerror());
}

bool curl_library_load(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return found;
}
