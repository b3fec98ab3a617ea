/* What people and operators send to the school API, as whole requests (whole_request.h): every route but those that
 * take rosters, with the fields of its body. Whoever asks finds the school's people, links, an application that waits,
 * a club with a report, an association's code. */
#include <string.h>

#include "homeserver/store/driver/writer.h"
#include "policy/admin/operators.h"
#include "policy/gate/operator.h"
#include "tests/fuzz/whole_request.h"
#include "tests/fuzz/whole_services.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define V3 "/_matrix/client/v3"
#define P1 "/_parta/v1"
#define AS(who) "\nauthorization: Bearer $" who "_app\n\n"
#define BY_OPERATOR "\nauthorization: Bearer $operator\n\n"

static bool act_operator(struct changing_records *c, void *token)
{
    const struct operator_plan plan = {.name = "region", .scopes = SCOPE_ALL};
    return operator_create(c, &plan, token) != 0;
}

static void learn_operator(void)
{
    static char token[OPERATOR_TOKEN_BYTES];
    must(world_run(&whole_world, 0, act_operator, token, NULL));
    whole_word("operator", token);
}

static void learn_people(void)
{
    struct world *w = &whole_world;
    whole_person("admin", w->admin);
    whole_person("other", w->other_admin);
    whole_person("class_teacher", w->class_teacher);
    whole_person("teacher", w->teacher);
    whole_person("old", w->old);
    whole_person("young", w->young);
    whole_person("small", w->small);
    whole_guardian();
}

/* What the pages' words are, too: a link of the fifth class, and who has applied by it. */
static void learn_links(void)
{
    struct world *w = &whole_world;
    struct link_made made;
    struct error e;
    char number[24];
    must(world_link(w, w->class_teacher, (struct link_wish){.kind = LINK_CLASS, .class = w->fifth, .role = ROLE_PUPIL},
                    &made, &e));
    whole_word("link", made.token);
    snprintf(number, sizeof number, "%lld", (long long)made.no);
    whole_word("link_number", number);
    user_no newcomer = world_signs_up(w, made.token, "Nina", &e);
    must(newcomer != 0);
    whole_person("newcomer", newcomer);
    application_no no = world_application(w, newcomer);
    snprintf(number, sizeof number, "%lld", (long long)no);
    whole_word("application", number);
    snprintf(number, sizeof number, "%lld", (long long)world_version(w->f.db, no));
    whole_word("application_seen", number);
    must(world_link(w, w->young, (struct link_wish){.kind = LINK_GUARDIAN}, &made, &e));
    whole_word("link_guardian", made.token);
    snprintf(number, sizeof number, "%lld", (long long)guardian_child_version(w->f.db, w->young));
    whole_word("young_seen", number);
}

static void learn_rooms(void)
{
    whole_learn("POST " V3 "/createRoom" AS("teacher") "{\"preset\":\"private_chat\",\"name\":\"Club\"}",
                "\"room_id\":\"!", "club");
    whole_learn("POST " V3 "/rooms/!$club/invite" AS("teacher") "{\"user_id\":\"$class_teacher_id\"}", "", NULL);
    whole_learn("POST " V3 "/join/!$club" AS("class_teacher") "{}", "", NULL);
    whole_learn("POST " P1 "/associations" AS("admin") "{\"school\":\"s1\",\"name\":\"A\"}", "\"room_id\":\"!",
                "association");
    whole_learn("POST " P1 "/associations/!$association/codes" AS("admin") "{\"school\":\"s1\"}", "\"code\":\"",
                "association_code");
    whole_learn("POST " P1 "/operators" BY_OPERATOR "{\"name\":\"second\",\"scopes\":[\"read\"]}", "\"operator\":\"",
                "operator_number");
    whole_learn("POST " V3 "/users/$teacher_id/report" AS("class_teacher") "{\"reason\":\"bad\"}", "", NULL);
    whole_learn("GET " P1 "/reports?school=s1" AS("admin"), "\"report\":\"", "report");
    whole_learn("GET " P1 "/reports/$report" AS("admin"), "etag: \"", "report_seen");
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct whole_tables tables[2];
    whole_client_tables(&tables[0]);
    whole_school_tables(&tables[1]);
    whole_start("registration: {mode: token}\npublic_baseurl: https://school.example\n", tables, 2);
    whole_serve(NULL, 0);
    whole_json_only();
    learn_operator();
    learn_people();
    learn_links();
    learn_rooms();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    whole_ask(bytes, len, false);
    return 0;
}
