/* Whole requests to the real handlers, in this process: routed, asked who sends them, their form taken, handled, as
 * loops and workers do it, without libh2o before and a disk behind.
 *
 * An input is a request as HTTP/1.1 writes it (RFC 9112, 2.1), of lines that end in "\n". What no input can know stands
 * in it as $word. $form is always there: the token of a form that posts to this path, of the session or the visit that
 * the request's cookies name.
 *
 * Each request finds the same small school: a job that the writer has done is refused at its end, so that nothing stays
 * of it. The clock stands still. Links with --wrap of WHOLE_REQUEST's functions (tests/meson.build). */
#ifndef PARTA_TESTS_FUZZ_WHOLE_REQUEST_H
#define PARTA_TESTS_FUZZ_WHOLE_REQUEST_H

#include <stdint.h>

#include "homeserver/http/request.h"
#include "homeserver/http/server.h"
#include "tests/unit/signup_world.h"

#define WHOLE_NOW_MS INT64_C(1800000000000)
#define WHOLE_PASSWORD "correct horse" /* of everybody */

extern struct world whole_world;
extern struct server whole_server;

extern char whole_code[8]; /* of the last letter that went out */

struct whole_tables {
    const struct routes *const *tables;
    size_t n;
};

/* settings: YAML, beside the server's name. tables: of which requests find their routes; several lists of them. */
void whole_start(const char *settings, const struct whole_tables *tables, size_t n);

/* $word is value; or what make writes, each time that an input has it: for what is spent in memory. */
void whole_word(const char *word, const char *value);
void whole_word_made(const char *word, void (*make)(struct text *out));

/* That person has WHOLE_PASSWORD; $word is a page's session of theirs, $word_id their Matrix id, $word_from whom a form
 * is shown to, $word_known the cookie of a browser that knows them; DEVICE is a device of theirs, $word_app its access
 * token. Returns the page's session, for good. */
const char *whole_person(const char *word, user_no user);

/* A guardian of the world's small child, with the address guardian@example.com; $guardian as of whole_person. */
void whole_guardian(void);

/* Where the next line begins that is '%' and one of the letters: an answer that an input brings along. NULL: none. */
const char *whole_next_answer(const char *at, const char *end, const char *letters);

/* Sends it, and what it writes stays. $word is what the reply has behind mark (of letters, digits, - and _). request
 * NULL: of the reply before. word NULL: nothing is learnt. */
void whole_learn(const char *request, const char *mark, const char *word);

/* For what make writes: what the reply to a request of its own has behind mark. */
void whole_reply_has(const char *request, const char *mark, struct text *out);

/* Every reply is JSON, as APIs answer. */
void whole_json_only(void);

/* An input. gets_write: whether a GET may write. Aborts where the reply breaks what holds for all. */
void whole_ask(const uint8_t *bytes, size_t len, bool gets_write);

/* Names what does not hold, and aborts. */
void must_hold(bool holds, const char *what);
#define must(holds) must_hold(holds, #holds)

#endif
