/* What /versions offers beside the versions is served: each flag stands once, in order, and names a route that is
 * there. What these do the story client_names tries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client-api/routes.h"

static const struct {
    const char *flag;
    enum http_method method;
    const char *path;
} FEATURES[] = {
#define X(flag, method, path) {flag, HTTP_##method, path},
#include "client-api/unstable_features.def"
#undef X
};

static bool is_served(enum http_method method, const char *path)
{
    for (size_t i = 0; i < CLIENT_API_ROUTES_COUNT; ++i)
        for (size_t k = 0; k < CLIENT_API_ROUTES[i]->n; ++k)
            if (CLIENT_API_ROUTES[i]->table[k].method == method &&
                strcmp(CLIENT_API_ROUTES[i]->table[k].path, path) == 0)
                return true;
    return false;
}

static void each_is_served(void **state)
{
    for (size_t i = 0; i < sizeof FEATURES / sizeof *FEATURES; ++i) {
        if (!is_served(FEATURES[i].method, FEATURES[i].path))
            fail_msg("%s: there is no route %s", FEATURES[i].flag, FEATURES[i].path);
        assert_true(i == 0 || strcmp(FEATURES[i - 1].flag, FEATURES[i].flag) < 0);
    }
}

/* A route under a name that is not stable is there because somebody asks for it: by a flag, unless clients try it. */
static void each_unstable_route_has_a_flag_or_needs_none(void **state)
{
    static const char UNSTABLE[] = "/_matrix/client/unstable/";
    static const char *const TRIED[] = {"im.nheko.summary",   "io.element.msc4306", "io.element.msc4308",
                                        "io.element.msc4388", "org.matrix.msc2965", "org.matrix.msc3814.v1",
                                        "org.matrix.msc4108", /* a flag where oauth.enabled says so: oauth_api.c */
                                        "org.parta."};
    for (size_t i = 0; i < CLIENT_API_ROUTES_COUNT; ++i)
        for (size_t k = 0; k < CLIENT_API_ROUTES[i]->n; ++k) {
            const char *path = CLIENT_API_ROUTES[i]->table[k].path;
            bool known = strncmp(path, UNSTABLE, strlen(UNSTABLE)) != 0;
            for (size_t f = 0; !known && f < sizeof FEATURES / sizeof *FEATURES; ++f)
                known = strcmp(FEATURES[f].path, path) == 0;
            for (size_t t = 0; !known && t < sizeof TRIED / sizeof *TRIED; ++t)
                known = strncmp(path + strlen(UNSTABLE), TRIED[t], strlen(TRIED[t])) == 0;
            if (!known)
                fail_msg("%s is served, and no flag of /versions says so", path);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_served),
        cmocka_unit_test(each_unstable_route_has_a_flag_or_needs_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
