/* What the sink says when a reading has been told: what waited for its time. */
#include "appservice/diary/digest.h"
#include "appservice/diary/later.h"
#include "appservice/diary/sink_matrix_private.h"
#include "appservice/diary/timetable.h"

static void close_times(void *times)
{
    digests_destroy(times);
}

void sink_matrix_has_read(void *self, const struct read_whole *read)
{
    struct sink_matrix *m = self;
    if (!sink_know_oneself(m))
        return;
    if (m->times == NULL) {
        m->times = digests_create();
        m->close_times = close_times;
    }
    later_read(m, read);
    timetable_read(m, read);
    digests_read(m->times, m, read);
}
