/* Push gateways: their answers, which may be anything, and their addresses, which people give. No answer may crash or
 * leak; keys are told only of an answer that is one; a gateway's name is the same when it is read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/push/delivery/gateways.h"
#include "homeserver/push/delivery/notify.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void count(void *arg, const char *pushkey)
{
    size_t *n = arg;
    *n += strlen(pushkey) + 1;
}

static void check_address(const char *url)
{
    char name[GATEWAY_BYTES_MAX + 1], again[GATEWAY_BYTES_MAX + 1];
    if (!gateway_of_url(url, name))
        return;
    struct text whole = TEXT_INIT;
    text_adds(&whole, name);
    text_adds(&whole, GATEWAY_PATH);
    if (!gateway_of_url(whole.data, again) || strcmp(name, again) != 0 || strlen(name) > GATEWAY_BYTES_MAX)
        abort();
    text_finish(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    size_t told = 0;
    bool good = notify_read((const char *)bytes, len, count, &told);
    if ((!good && told != 0) || told > len)
        abort();
    char *url = strndup((const char *)bytes, len);
    check_address(url);
    free(url);
    return 0;
}
