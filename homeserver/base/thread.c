#include "homeserver/base/thread.h"

#include <string.h>

#include "homeserver/base/log.h"

bool thread_start(pthread_t *thread, const char *name, size_t stack_bytes, void *(*run)(void *arg), void *arg)
{
    char cut[16] = "";
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (stack_bytes != 0)
        pthread_attr_setstacksize(&attributes, stack_bytes);
    int failed = pthread_create(thread, &attributes, run, arg);
    pthread_attr_destroy(&attributes);
    if (failed != 0) {
        log_error("thread", "%s could not be started: %s", name, strerror(failed));
        return false;
    }
    memcpy(cut, name, strnlen(name, sizeof cut - 1));
    pthread_setname_np(*thread, cut);
    return true;
}
