#include "homeserver/mail/post.h"

#include <stdlib.h>

#include "homeserver/mail/sms.h"
#include "homeserver/mail/smtp.h"

struct post {
    struct smtp *smtp; /* NULL: not configured */
    struct sms *sms;
};

struct post *post_create(const struct config *config, struct outgoing *outgoing, struct text *problem)
{
    struct post *post = xcalloc(1, sizeof *post);
    post->smtp = smtp_create(config, outgoing, problem);
    if (problem->len == 0)
        post->sms = sms_create(config, outgoing, problem);
    if (problem->len == 0)
        return post;
    post_destroy(post);
    return NULL;
}

void post_destroy(struct post *post)
{
    if (post == NULL)
        return;
    smtp_destroy(post->smtp);
    sms_destroy(post->sms);
    free(post);
}

bool post_offers(const struct post *post, enum post_way way)
{
    return way == POST_MAIL ? post->smtp != NULL : post->sms != NULL;
}

/* Who is told of the letter. */
struct posting {
    void (*done)(void *arg, bool delivered);
    void *arg;
};

static void posted(void *arg, bool delivered, struct outgoing_reply *reply)
{
    struct posting *posting = arg;
    posting->done(posting->arg, delivered);
    free(posting);
}

bool post_send(void *self, const struct letter *letter, int64_t deadline_ms, void (*done)(void *arg, bool delivered),
               void *arg)
{
    struct post *post = self;
    const struct mail mail = {letter->to, letter->subject, letter->text};
    if (!post_offers(post, letter->way))
        return false;
    struct posting *posting = xcalloc(1, sizeof *posting);
    *posting = (struct posting){done, arg};
    bool taken = letter->way == POST_MAIL ? smtp_send(post->smtp, &mail, deadline_ms, posted, posting)
                                          : sms_send(post->sms, letter->to, letter->text, deadline_ms, posted, posting);
    if (!taken)
        free(posting);
    return taken;
}
