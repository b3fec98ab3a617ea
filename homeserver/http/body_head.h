/* What the head of an HTTP/1 request says about its body. libh2o keeps that to itself, and whoever takes a body over
 * from it (h2o_upload.c) must know. Pure. */
#ifndef PARTA_HTTP_BODY_HEAD_H
#define PARTA_HTTP_BODY_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct body_head {
    size_t head_len; /* bytes up to the body */
    int64_t length;  /* Content-Length, the first; −1: none that is a number */
    bool encoded;    /* Transfer-Encoding: the length means nothing */
    bool waits;      /* Expect: 100-continue */
};

/* bytes: a head that libh2o has found well-formed, and what follows it. false: its end is not among them. */
bool body_head_scan(const char *bytes, size_t len, struct body_head *out);

#endif
