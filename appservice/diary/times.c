/* What the sink says when a reading has been told: what waited for its time. */
#include "appservice/diary/digest.h"
#include "appservice/diary/later.h"
#include "appservice/diary/sink_matrix_private.h"
#include "appservice/diary/timetable.h"

static void close_times(void *times)
{
    digests_destroy(times);
}

bool sink_matrix_has_read(void *self, const struct has_read *read)
{
    struct sink_matrix *m = self;
    if (!sink_know_oneself(m))
        return true;
    if (m->times == NULL) {
        m->times = digests_create();
        m->close_times = close_times;
    }
    sink_keep_all_apart(m, read->now_ms);
    bool later = later_read(m, read), timetable = timetable_read(m, read), digests = digests_read(m->times, m, read);
    return later && timetable && digests;
}
