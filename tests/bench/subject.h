/* The server under the benchmark: a real partad in a folder of its own, pinned to the first core, and what the kernel
 * says of it. The load generator keeps to the last core. */
#ifndef PARTA_BENCH_SUBJECT_H
#define PARTA_BENCH_SUBJECT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct subject {
    char dir[64], config[96], database[96];
    const char *partad; /* the program */
    char python[160];   /* of Synapse; empty: it is a partad */
    int port;
    pid_t pid;
};

/* Folder and configuration; exits on failure. real_passwords: hashed at the default cost. */
void subject_prepare(struct subject *s, const char *partad, bool real_passwords);
/* The peer: another partad, or the virtual environment of a Synapse, which gets a database of SQLite. */
void subject_prepare_peer(struct subject *s, const char *peer);
int64_t subject_start(struct subject *s);         /* µs from exec to the first answered request */
void subject_stop(struct subject *s, int signal); /* and waits */
void subject_remove(struct subject *s);

int64_t subject_cpu_us(const struct subject *s);  /* user and system time so far */
int64_t subject_rss_kib(const struct subject *s); /* resident memory */
int64_t subject_file_bytes(const char *path);     /* 0: not there */

int64_t subject_disk_sync_us(const struct subject *s); /* how long the disk takes to sync 4 KiB just now */

/* With PARTA_BENCH_PROFILE=FILE in the environment: perf records the server from begin to end in FILE.name. */
void subject_profile_begin(const struct subject *s, const char *name);
void subject_profile_end(void);

void pin_to_core(int core);
int last_core(void);

#endif
