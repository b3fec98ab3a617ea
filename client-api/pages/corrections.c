#include "client-api/pages/corrections.h"

#include <string.h>

#include "client-api/pages/page.h"
#include "homeserver/base/json.h"
#include "policy/signup/applications.h"

/* What is the same as the record that was shown is no correction. */
static const char *corrected(const struct request *r, const char *field, const json_t *record, const char *key)
{
    const char *said = form_text(r, field), *is = json_get_string(record, key);
    return strcmp(said, is != NULL ? is : "") != 0 ? said : "";
}

bool page_read_corrections(struct request *r, const json_t *record, struct applicant *out)
{
    const char *birth = corrected(r, "child_birth_date", record, "birth_date");
    *out = APPLICANT_NOBODY;
    out->given = corrected(r, "child_given_name", record, "given_name");
    out->family = corrected(r, "child_family_name", record, "family_name");
    out->middle = corrected(r, "child_middle_name", record, "middle_name");
    out->note = form_text(r, "note");
    if (birth[0] != '\0')
        out->birth = day_from(birth);
    return out->birth >= 0 || refuse(r, ERROR_INVALID_PARAM, NULL);
}
