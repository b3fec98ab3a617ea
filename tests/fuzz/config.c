/* The configuration file: no input may crash the loader, leak, or be accepted and then print as something refused. */
#include <stdint.h>
#include <stdlib.h>

#include "homeserver/base/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct config *config = NULL, *again = NULL;
    struct text problem = TEXT_INIT, printed = TEXT_INIT;
    if (config_parse("fuzz", (const char *)bytes, len, &config, &problem)) {
        config_print(config, &printed);
        if (config_oauth_obstacle(config) == NULL && !config->oauth.enabled)
            abort();
        if (!config_parse("printed", printed.data, printed.len, &again, &problem))
            abort();
    } else if (problem.len == 0) {
        abort();
    }
    config_free(config);
    config_free(again);
    text_finish(&problem);
    text_finish(&printed);
    return 0;
}
