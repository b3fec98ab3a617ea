/* Personal links that the server sends to the people themselves (school.md J4): what makes its holder somebody else is
 * then in nobody's hands but theirs. Who makes the link names an e-mail address or a number; links of which they are
 * told the token are printed and handed over.
 *
 * A link waits in its row (store/school/links.h) until the post has it, over restarts too. The token is drawn here, as
 * the message is handed over, and lies nowhere else than in the message and, as a hash, in the row. After a restart,
 * or when the post takes no more, the next message has another token, and the one before is good for nothing. Whether
 * the post took it is in the link's row: `delivery`; the address goes from it then. */
#ifndef PARTA_POLICY_SIGNUP_LINK_LETTERS_H
#define PARTA_POLICY_SIGNUP_LINK_LETTERS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "homeserver/jobs/jobs.h"
#include "homeserver/mail/post.h"

struct config;
struct writer;

#define LINK_LETTERS_JOB "link-letters"

/* For the caller's memory; the rest of the fields are zero at first. */
struct link_letters {
    const struct config *config; /* borrowed, as all here */
    struct writer *writer;
    struct jobs **jobs; /* that the job is of; what it points to may be NULL */
    void *post;         /* passed to send, which is as post_send */
    bool (*send)(void *post, const struct letter *letter, int64_t deadline_ms, void (*done)(void *arg, bool delivered),
                 void *arg);
    bool begun;
    _Atomic int under_way[2]; /* with the post, by enum contact_medium: one way that is dead holds up no other */
    _Atomic bool stopping;    /* what is under way now, and is given up, waits for the next start */
};

/* The job: hands to the post what waits, some letters at a time. arg: a struct link_letters. Blocks (writes). */
enum job_outcome link_letters_run(void *arg, const _Atomic bool *stop);

/* Before the post is stopped, after the jobs are. */
void link_letters_stop(struct link_letters *letters);

#endif
