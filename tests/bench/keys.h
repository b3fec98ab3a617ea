/* End-to-end encryption: a school's morning of keys, and messages from device to device. */
#ifndef PARTA_BENCH_KEYS_H
#define PARTA_BENCH_KEYS_H

struct school;

/* 1 500 devices upload their keys and 50 one-time keys each, ask for those of their class, and claim one; then each
 * writes to all the devices of its class, and each asks what came. */
void keys_morning(struct school *s);

#endif
