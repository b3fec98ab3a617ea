/* What grows with what: the same requests with ever more members, rooms and messages (docs/performance.md, "Growth").
 * Each prints a line a size and, where asked, a plot. CPU is the server's, for one request. */
#ifndef PARTA_BENCH_GROWTH_H
#define PARTA_BENCH_GROWTH_H

#include "tests/bench/school.h"

void growth_rooms(struct school *s);   /* one person in 10 to 1 000 rooms */
void growth_members(struct school *s); /* a room of 30 to 10 000 */
void growth_messages(
    struct school *s); /* a room of 10 000 messages to as many as are said in five minutes, at most a million */
void growth_sign_in(struct school *s); /* what signing in costs besides the hash */

#endif
