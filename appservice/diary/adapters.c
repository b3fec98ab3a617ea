/* The table of adapters, and what they share of their settings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "appservice/diary/adapter.h"
#include "appservice/diary/diaries.h"
#include "homeserver/base/secret.h"

const struct adapter *const ADAPTERS[] = {
    &ONEROSTER_ADAPTER, &DNEVNIK_ADAPTER, &ICALENDAR_ADAPTER, &CSV_ADAPTER, &WEBHOOK_ADAPTER,
};
const size_t N_ADAPTERS = sizeof ADAPTERS / sizeof *ADAPTERS;

static size_t find(const struct source *source, const char *name)
{
    for (size_t i = 0; i < source->adapter->n_settings; ++i)
        if (strcmp(source->adapter->settings[i].name, name) == 0)
            return i;
    abort(); /* a name that the adapter itself does not have */
}

const char *adapter_text(const struct source *source, const char *name)
{
    size_t i = find(source, name);
    const char *given = source->values[i].text, *otherwise = source->adapter->settings[i].otherwise;
    return given != NULL ? given : otherwise != NULL ? otherwise : "";
}

int64_t adapter_int(const struct source *source, const char *name)
{
    return strtoll(adapter_text(source, name), NULL, 10);
}

bool adapter_flag(const struct source *source, const char *name)
{
    return strcmp(adapter_text(source, name), "true") == 0;
}

char *const *adapter_list(const struct source *source, const char *name, size_t *n)
{
    size_t i = find(source, name);
    *n = source->values[i].n_items;
    return source->values[i].items;
}

char *adapter_secret(const struct source *source, const char *name, struct text *problem)
{
    return secret_read(name, adapter_text(source, name), problem);
}

bool adapter_sourced(const struct source *source)
{
    for (size_t i = 0; i < source->adapter->n_settings; ++i)
        if (strcmp(source->adapter->settings[i].name, "ids") == 0)
            return strcmp(adapter_text(source, "ids"), "sourced") == 0;
    return source->adapter->sourced;
}

static const char *value_fault(const struct adapter_setting *setting, const char *text)
{
    char *end;
    int64_t number = strtoll(text, &end, 10);
    size_t len = strlen(text);
    switch (setting->kind) {
    case ADAPTER_URL:
        if ((strncmp(text, "https://", 8) != 0 && strncmp(text, "http://", 7) != 0) || text[len - 1] == '/')
            return "is no http:// or https:// address without a slash at the end";
        break;
    case ADAPTER_SECRET_FILE:
        if (*text != '/')
            return "is no path that begins with a slash";
        break;
    case ADAPTER_INT:
        if (end == text || *end != '\0' || number < setting->low || number > setting->high)
            return "is no number in the range that docs/diary.md gives";
        break;
    case ADAPTER_FLAG:
        return strcmp(text, "true") == 0 || strcmp(text, "false") == 0 ? NULL : "is neither true nor false";
    case ADAPTER_TEXT:
    case ADAPTER_LIST: break;
    }
    if (strcmp(setting->name, "ids") == 0 && strcmp(text, "sourced") != 0 && strcmp(text, "own") != 0)
        return "is neither sourced nor own";
    return text_is_line(text) ? NULL : "holds control characters";
}

bool adapter_check(const struct source *source, struct text *problem)
{
    for (size_t i = 0; i < source->adapter->n_settings; ++i) {
        const struct adapter_setting *setting = &source->adapter->settings[i];
        const struct setting_value *value = &source->values[i];
        const char *fault = NULL;
        if (setting->kind == ADAPTER_LIST)
            fault = value->n_items == 0 && setting->otherwise == NULL ? "is missing" : NULL;
        else if (value->text == NULL || *value->text == '\0')
            fault = setting->otherwise == NULL ? "is missing" : NULL;
        else
            fault = value_fault(setting, value->text);
        if (fault != NULL)
            return text_fail(problem, "%s.%s %s.", source->adapter->name, setting->name, fault);
    }
    return true;
}
