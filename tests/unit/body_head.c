/* What a head says about its body, as h2o_upload.c must know it: a table of cases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/http/body_head.h"

#define LINE "PUT /a HTTP/1.1\r\n"

static void heads_are_scanned(void **state)
{
    static const struct {
        const char *head;
        int64_t length;
        bool encoded, waits;
    } CASES[] = {
        {LINE "\r\n", -1, false, false},
        {LINE "Content-Length: 5\r\n\r\n", 5, false, false},
        {LINE "content-length:5\r\n\r\n", 5, false, false},
        {LINE "CONTENT-LENGTH: \t 5 \t\r\n\r\n", 5, false, false},
        {LINE "Content-Length: 9223372036854775799\r\n\r\n", 9223372036854775799, false, false},
        {LINE "Content-Length: 99999999999999999999\r\n\r\n", -1, false, false},
        {LINE "Content-Length: -5\r\n\r\n", -1, false, false},
        {LINE "Content-Length: 5x\r\n\r\n", -1, false, false},
        {LINE "Content-Length:\r\n\r\n", -1, false, false},
        {LINE "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 5, false, false}, /* libh2o takes the first, too */
        {LINE "Content-Length: x\r\nContent-Length: 6\r\n\r\n", -1, false, false},
        {LINE "X-Content-Length: 5\r\n\r\n", -1, false, false},
        {LINE "Content-Length-X: 5\r\n\r\n", -1, false, false},
        {LINE "A: b\r\n Content-Length: 5\r\n\r\n", -1, false, false}, /* folded: part of A */
        {LINE "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 5, true, false},
        {LINE "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", 5, false, true},
        {LINE "Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n", 5, false, true},
        {LINE "Expect: nothing\r\nContent-Length: 5\r\n\r\n", 5, false, false},
        {"PUT /a HTTP/1.1\nContent-Length: 5\n\n", 5, false, false},
        {"\r\n" LINE "Content-Length: 5\r\n\r\n", 5, false, false},
        {"\n" LINE "Content-Length: 5\r\n\r\n", 5, false, false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct body_head out;
        char bytes[512];
        size_t len = strlen(CASES[i].head);
        memcpy(bytes, CASES[i].head, len);
        memcpy(bytes + len, "12345\r\n\r\n", 9); /* the body is none of it */
        assert_true(body_head_scan(bytes, len + 9, &out));
        assert_int_equal(out.head_len, len);
        assert_int_equal(out.length, CASES[i].length);
        assert_int_equal(out.encoded, CASES[i].encoded);
        assert_int_equal(out.waits, CASES[i].waits);
        for (size_t cut = 0; cut < len; ++cut)
            assert_false(body_head_scan(bytes, cut, &out));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(heads_are_scanned)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
