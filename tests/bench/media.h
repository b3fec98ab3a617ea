/* Media up and down, beside nginx on the same files. */
#ifndef PARTA_BENCH_MEDIA_H
#define PARTA_BENCH_MEDIA_H

struct school;

/* Eight files of 8 MB go up and come down, one after the other, to and from the server; then the same to and from an
 * nginx of one process on the same core (WebDAV's PUT, which syncs nothing), where there is one. */
void media_traffic(struct school *s);

#endif
