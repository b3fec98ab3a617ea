/* The registry behind /metrics: what a module adds is on the page, in Prometheus' text format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/base/metrics.h"

struct queue {
    int waiting, sent;
};

static int64_t waiting(void *self)
{
    return ((const struct queue *)self)->waiting;
}

static void sent(void *self, const struct metric *metric, struct text *out)
{
    const struct queue *queue = self;
    metric_sample(out, metric->name, "destination=\"mail\"", queue->sent);
    metric_sample(out, metric->name, "destination=\"sms\"", 0);
}

static const struct metric QUEUE[] = {
    {"queue_waiting", "What waits.", METRIC_GAUGE, waiting, NULL},
    {"queue_sent_total", "What was sent.", METRIC_COUNTER, NULL, sent},
};

static void rows_are_asked_for_every_page(void **state)
{
    struct metrics *metrics = metrics_create();
    struct queue queue = {3, 0};
    struct text page = TEXT_INIT;
    metrics_add(metrics, QUEUE, 2, &queue);
    queue.sent = 7;
    metrics_render(metrics, &page);
    const char *own = strstr(page.data, "# HELP queue_waiting");
    assert_non_null(own);
    assert_string_equal(own, "# HELP queue_waiting What waits.\n"
                             "# TYPE queue_waiting gauge\n"
                             "queue_waiting 3\n"
                             "# HELP queue_sent_total What was sent.\n"
                             "# TYPE queue_sent_total counter\n"
                             "queue_sent_total{destination=\"mail\"} 7\n"
                             "queue_sent_total{destination=\"sms\"} 0\n");
    queue.waiting = 4;
    text_clear(&page);
    metrics_render(metrics, &page);
    assert_non_null(strstr(page.data, "\nqueue_waiting 4\n"));
    text_finish(&page);
    metrics_destroy(metrics);
}

static void the_process_tells_of_itself(void **state)
{
    struct metrics *metrics = metrics_create();
    struct text page = TEXT_INIT;
    metrics_render(metrics, &page);
    assert_non_null(strstr(page.data, "parta_info{version=\"" PARTA_VERSION "\"} 1\n"));
    assert_non_null(strstr(page.data, "\nparta_uptime_milliseconds "));
    const char *resident = strstr(page.data, "\nprocess_resident_memory_bytes ");
    assert_non_null(resident);
    assert_int_not_equal(resident[strlen("\nprocess_resident_memory_bytes ")], '-');
    text_finish(&page);
    metrics_destroy(metrics);
}

static void nobody_may_ask(void **state)
{
    metrics_add(NULL, QUEUE, 2, NULL);
    metrics_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_asked_for_every_page),
        cmocka_unit_test(the_process_tells_of_itself),
        cmocka_unit_test(nobody_may_ask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
