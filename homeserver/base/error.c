#include "homeserver/base/error.h"

#include <stdio.h>
#include <string.h>

#include "homeserver/base/ids.h"

static const struct {
    const char *wire;
    int status;
    const char *sentence;
} ERRORS[] = {
    [ERROR_NONE] = {"M_UNKNOWN", 500, "Something went wrong on the server."},
#define X(name, wire, status, sentence) [ERROR_##name] = {wire, status, sentence},
#include "homeserver/base/errors.def"
#undef X
};

bool error_set(struct error *e, enum error_code code, const char *sentence)
{
    *e = (struct error){.code = code, .sentence = sentence};
    return false;
}

bool error_set_field(struct error *e, enum error_code code, const char *sentence, const char *field, const char *value)
{
    error_set(e, code, sentence);
    e->field = field;
    size_t len = utf8_cut(value, strlen(value), sizeof e->value - 1);
    memcpy(e->value, value, len);
    e->value[len] = '\0';
    return false;
}

bool error_set_parameter(struct error *e, enum error_code code, const char *parameter, const char *sentence)
{
    return error_set_field(e, code, sentence, "org.parta.parameter", parameter);
}

bool error_set_limited(struct error *e, int64_t retry_after_ms)
{
    error_set(e, ERROR_LIMIT_EXCEEDED, NULL);
    e->retry_after_ms = retry_after_ms;
    return false;
}

const char *error_wire_name(enum error_code code)
{
    return ERRORS[code].wire;
}

int error_status(const struct error *e)
{
    return e->status != 0 ? e->status : ERRORS[e->code].status;
}

const char *error_sentence(const struct error *e)
{
    return e->sentence != NULL ? e->sentence : ERRORS[e->code].sentence;
}
