/* The bridge's configuration: whatever stands there is read, or refused with a reason; what is read is in its range, on
 * one line, and nothing of it is left out. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "appservice/diary/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static bool is_http(const char *url)
{
    return strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
}

/* All the words of school.id, each once and in order. */
static void check_schools(const struct diary_settings *s)
{
    const char *at = s->values[0].text;
    for (size_t i = 0; diary_setting_name(i) != NULL; ++i)
        if (strcmp(diary_setting_name(i), "school.id") == 0)
            at = s->values[i].text;
    must(s->n_schools >= 1 && s->n_schools <= SCHOOLS_MAX);
    for (size_t i = 0; i < s->n_schools; ++i) {
        size_t len = strlen(s->schools[i]);
        at += strspn(at, " ");
        must(len != 0 && strncmp(at, s->schools[i], len) == 0 && (at[len] == ' ' || at[len] == '\0'));
        at += len;
    }
    must(at[strspn(at, " ")] == '\0');
}

static void check(const struct diary_settings *s)
{
    check_schools(s);
    must(is_http(s->school_url) && (s->bridge_url == NULL || is_http(s->bridge_url)));
    must(s->listen_port >= 0 && s->listen_port <= 65535 && s->roster_s >= 1 && s->interval_s >= 1);
    must(s->utc_offset_ms % 60000 == 0 && llabs(s->utc_offset_ms) < 15 * 3600000LL);
    must(s->back_days >= 0 && s->forward_days >= 0 && s->digest_hour <= 23 && s->digest_weekday >= 1);
    must(*s->data_dir == '/' && (int)s->encryption >= 0 && s->encryption <= ENCRYPTION_OFF);
    must(!s->metrics_open || strncmp(s->listen_address, "127.", 4) == 0 || strcmp(s->listen_address, "::1") == 0);
    for (size_t i = 0; i < s->n_values; ++i)
        must(s->values[i].text == NULL || s->values[i].items == NULL);
    for (size_t i = 0; i < s->n_sources; ++i)
        for (size_t k = 0; k < s->sources[i].adapter->n_settings; ++k) {
            const struct adapter_setting *setting = &s->sources[i].adapter->settings[k];
            must(setting->kind == ADAPTER_LIST || text_is_line(adapter_text(&s->sources[i], setting->name)));
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct text problem = TEXT_INIT;
    struct diary_settings *s = diary_settings_parse("fuzz", (const char *)bytes, len, &problem);
    must((s == NULL) == (problem.len != 0));
    if (s != NULL)
        check(s);
    diary_settings_free(s);
    text_finish(&problem);
    return 0;
}
