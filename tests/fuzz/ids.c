/* Any bytes as an identifier: no check reads outside, and they agree with each other. */
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *s = xstrndup((const char *)data, size);
    size_t len = strlen(s), part;
    const char *localpart;
    bool valid[] = {user_id_valid(s), room_id_valid(s), event_id_valid(s), alias_valid(s)};
    must(valid[0] + valid[1] + valid[2] + valid[3] <= 1); /* the sigil tells them apart */
    for (size_t i = 0; i < sizeof valid / sizeof *valid; ++i)
        must(!valid[i] || (len <= ID_BYTES_MAX && utf8_valid(s, len)));
    must(user_id_split(s, id_server(s), &localpart, &part) == valid[0]);
    must(!valid[0] || (localpart == s + 1 && s[1 + part] == ':' && server_name_valid(id_server(s))));
    if (localpart_valid_for_new(s, "school.example")) {
        struct text id = TEXT_INIT;
        text_addf(&id, "@%s:school.example", s);
        must(user_id_valid(id.data));
        text_finish(&id);
    }
    must(!mxc_valid(s) || strncmp(s, "mxc://", 6) == 0);
    must(!id_is_token(s, len, 64) || (len > 0 && len <= 64 && strpbrk(s, " \n/") == NULL));
    (void)id_is_reserved(s);
    (void)utf8_valid((const char *)data, size);
    free(s);
    return 0;
}
