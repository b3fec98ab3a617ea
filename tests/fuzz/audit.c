/* An exported audit log: whatever it is, it is whole or a fault is named, within the file; and what is whole is whole
 * no longer with its last line gone. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/audit/audit.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static size_t without_last_line(const char *text, size_t len)
{
    if (len > 0 && text[len - 1] == '\n')
        --len;
    while (len > 0 && text[len - 1] != '\n')
        --len;
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct audit_fault fault;
    int64_t entries;
    const char *text = (const char *)bytes;
    bool whole = audit_verify(text, len, NULL, NULL, &entries, &fault);
    static const unsigned char KEY[32] = {1};
    must(!audit_verify(text, len, KEY, NULL, &entries, &fault)); /* of another server */
    audit_verify(text, len, NULL, "3 3asDJnOBKidulRtGiU9tt4zZUSY0wZ7R5ioNsU9rSJg", &entries, &fault);
    must(!audit_verify(text, len, NULL, "3asDJnOBKidulRtGiU9tt4zZUSY0wZ7R5ioNsU9rSJg", &entries, &fault));
    whole = audit_verify(text, len, NULL, NULL, &entries, &fault);
    must(whole || (fault.what != NULL && fault.line >= 0));
    must(entries >= 0 && entries <= (int64_t)len);
    if (whole)
        must(!audit_verify(text, without_last_line(text, len), NULL, NULL, &entries, &fault));
    return 0;
}
