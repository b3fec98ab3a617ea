/* Which part of a representation a request asks for (RFC 9110, 14: Range; 13.1.5: If-Range). Pure. */
#ifndef PARTA_HTTP_RANGE_H
#define PARTA_HTTP_RANGE_H

#include <stdint.h>

enum range_outcome {
    RANGE_WHOLE,         /* nothing is asked, or what is asked is not understood, as RFC 9110 allows: 200 */
    RANGE_PART,          /* 206 */
    RANGE_UNSATISFIABLE, /* it lies beyond the end: 416 */
};

struct byte_range {
    int64_t first, last; /* positions of the first and the last byte */
};

/* range, if_range: the headers of a GET, NULL: absent. etag: of the representation, with its quotes, NULL: none. size:
 * its bytes. One range in bytes is understood; several are answered with the whole, and so is a Range whose If-Range
 * does not name exactly this (strong) etag. *out is filled in with RANGE_PART. */
enum range_outcome range_find(const char *range, const char *if_range, const char *etag, int64_t size,
                              struct byte_range *out);

#endif
