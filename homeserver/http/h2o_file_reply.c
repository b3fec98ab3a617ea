/* Replies that are part of a file: a piece is read when libh2o has written the one before, so that a slow client costs
 * one piece of memory. What is not in the system's cache is read by a worker; the loop never waits for a disk. */
#include "homeserver/http/loop_private.h"
#include "homeserver/http/reply.h"

struct file_generator {
    h2o_generator_t super;
    struct request_context *context;
};

/* The file is closed with the context, whatever happens. */
void h2o_file_reply_piece(struct request_context *context)
{
    struct reply_file *file = context->r.reply.file;
    bool good = file->piece_len > 0;
    h2o_iovec_t piece = h2o_iovec_init(file->piece, good ? (size_t)file->piece_len : 0);
    h2o_send(context->req, &piece, good,
             !good             ? H2O_SEND_STATE_ERROR /* closes the connection: fewer bytes come than were promised */
             : file->left == 0 ? H2O_SEND_STATE_FINAL
                               : H2O_SEND_STATE_IN_PROGRESS);
}

static void send_on(struct request_context *context)
{
    if (reply_file_read(context->r.reply.file, false))
        h2o_file_reply_piece(context);
    else if (!loop_work(context, WORK_READ_FILE)) {
        context->r.reply.file->piece_len = -1;
        h2o_file_reply_piece(context);
    }
}

static void proceed(h2o_generator_t *self, h2o_req_t *req)
{
    send_on(((struct file_generator *)self)->context);
}

void h2o_file_reply_send(struct request_context *context)
{
    const struct reply *reply = &context->r.reply;
    h2o_req_t *req = context->req;
    struct file_generator *generator = h2o_mem_alloc_pool(&req->pool, sizeof *generator);
    *generator = (struct file_generator){.super = {.proceed = proceed}, .context = context};
    req->res.status = reply->status;
    req->res.reason = status_reason(reply->status);
    req->res.content_length = (size_t)reply->file->left;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, reply->file->type,
                   strlen(reply->file->type));
    h2o_start_response(req, &generator->super);
    if (h2o_exchange_is_head(req) || reply->file->left == 0)
        h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
    else
        send_on(context);
}
