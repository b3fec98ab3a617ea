/* A school's policy document: whatever it is, it is read or refused with a reason; what was read comes back the same,
 * from over any other policy; the strictest of it and the default is itself a policy; quiet hours end after they
 * began; and nobody needs a second factor before the day that is said. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/json.h"
#include "policy/rules/school_policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_comes_back(const struct school_policy *policy, const struct school_policy *over)
{
    struct school_policy back;
    struct text problem = TEXT_INIT;
    json_t *document = school_policy_document(policy), *again;
    must(school_policy_read(document, over, &back, &problem));
    again = school_policy_document(&back);
    must(json_equal(document, again));
    json_decref(document);
    json_decref(again);
}

static void check_quiet(const struct school_policy *policy)
{
    for (int64_t hour = 0; hour < 48; ++hour) {
        int64_t now = hour * 3600000 + 1, ends;
        if (school_policy_quiet(policy, now, &ends))
            must(ends > now && ends <= now + 24 * 3600000);
    }
}

static void check_factor(const struct school_policy *policy)
{
    for (unsigned role = 1; role < 1u << 16; role <<= 1) {
        school_day day = school_policy_factor_day(policy, role, day_from("2026-11-30"));
        must((policy->second_factor.roles & role) != 0 ? day >= policy->second_factor.from : day == DAY_NEVER);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct error e = {0};
    struct school_policy policy;
    struct text problem = TEXT_INIT;
    json_t *document = json_parse((const char *)bytes, len, &e);
    if (document == NULL)
        return 0;
    if (school_policy_read(document, &SCHOOL_POLICY_DEFAULT, &policy, &problem)) {
        struct school_policy both = school_policy_strictest(&policy, &SCHOOL_POLICY_DEFAULT);
        must(problem.len == 0);
        check_comes_back(&policy, &SCHOOL_POLICY_DEFAULT);
        check_comes_back(&SCHOOL_POLICY_DEFAULT, &policy);
        check_comes_back(&both, &policy);
        check_quiet(&policy);
        check_factor(&policy);
    } else
        must(problem.len > 0 && strlen(problem.data) == problem.len);
    text_finish(&problem);
    json_decref(document);
    return 0;
}
