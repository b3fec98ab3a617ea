/* What one decision of policy/rules costs: each act on facts that no row refuses, if there are such, so that all are
 * asked. */
#include "tests/bench/decision.h"

#include "policy/rules/rules.h"
#include "tests/bench/report.h"

enum { TIMES = 200000 };

/* A class teacher who is also an administrator, in the class room, at noon. */
static struct rule_facts facts_of(enum act act)
{
    struct person_facts teacher = {.account = ACCOUNT_ACTIVE,
                                   .roles = ROLE_TEACHER | ROLE_CLASS_TEACHER | ROLE_ADMINISTRATOR,
                                   .any_roles = ROLE_TEACHER | ROLE_CLASS_TEACHER | ROLE_ADMINISTRATOR,
                                   .member = true,
                                   .held = act != ACT_LEAVE && act != ACT_NAME,
                                   .post = true};
    struct person_facts pupil = {.account = ACCOUNT_ACTIVE,
                                 .roles = ROLE_PUPIL,
                                 .any_roles = ROLE_PUPIL,
                                 .member = true,
                                 .held = act != ACT_KICK};
    return (struct rule_facts){.act = act,
                               .school_mode = true,
                               .policy = &SCHOOL_POLICY_DEFAULT,
                               .room = {.kind = ROOM_CLASS, .has_school = true},
                               .actor = teacher,
                               .target = act == ACT_LEAVE ? teacher : pupil,
                               .pair = {.relations = RELATION_BIT(RELATION_STAFF_OWN_PUPIL),
                                        .allowed = RELATION_BIT(RELATION_STAFF_OWN_PUPIL)},
                               .event_type = act == ACT_STATE ? "m.room.topic" : "m.room.message",
                               .state_key = act == ACT_STATE ? "" : NULL};
}

static double decide_ns(enum act act)
{
    struct rule_facts facts = facts_of(act);
    double start = thread_cpu_us();
    for (int i = 0; i < TIMES; ++i) {
        __asm__ volatile("" : : "r"(&facts) : "memory"); /* it is asked afresh each time */
        struct verdict verdict = rules_decide(&facts);
        __asm__ volatile("" : : "r"(&verdict) : "memory");
    }
    return (thread_cpu_us() - start) * 1e3 / TIMES;
}

json_t *bench_decision(void)
{
    double sum = 0, most = 0, send = decide_ns(ACT_SEND);
    enum act slowest = ACT_SEND;
    for (int act = 0; act < ACT__COUNT; ++act) {
        double ns = decide_ns((enum act)act);
        sum += ns;
        slowest = ns > most ? (enum act)act : slowest;
        most = ns > most ? ns : most;
    }
    return json_pack("{s:i, s:f, s:f, s:f, s:s}", "rows", rules_count(), "mean_us", sum / ACT__COUNT / 1000, "send_us",
                     send / 1000, "slowest_us", most / 1000, "slowest", act_name(slowest));
}
