/* Requests of the bridge's bot to its homeserver: the Client-Server API with the application service's token, and the
 * school API with the operator's. What is sent and answered is never logged. */
#ifndef PARTA_DIARY_MATRIX_CLIENT_H
#define PARTA_DIARY_MATRIX_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct outgoing;

struct matrix_client {
    struct outgoing *outgoing;
    const char *url;     /* https://…, no slash at the end */
    const char *ca_file; /* NULL: the system's */
    const char *as_token, *school_token;
    /* Called before each request of matrix_call and its kind. patient: it may take long, and whatever others wait for
     * is let go of first; otherwise it is given up within MATRIX_BRIEF_MS, and asked again when this was called
     * patient. true: something is held on to. NULL: nothing ever is. */
    bool (*let_go)(void *self, bool patient);
    void (*refused)(void *self); /* the bot itself is, whatever it does; NULL: nobody asks */
    void *self;                  /* of both */
};

#define MATRIX_BRIEF_MS 500

enum matrix_answer {
    MATRIX_DONE,
    MATRIX_REFUSED, /* for good, by a Matrix error of this room or person: nothing was done */
    /* Nothing was done: quiet hours (F3), or the bot itself may not (it or its token is not known yet, it is stopped),
     * or it was not the homeserver that has answered. */
    MATRIX_NOT_NOW,
    MATRIX_UNKNOWN /* no answer, or the server fails: it may have been done */
};

/* path begins with a slash: "/_parta/v1…" goes to the school API, everything else below /_matrix/client/v3. content:
 * taken; NULL: none. *reply: the caller's, NULL: no JSON; reply may be NULL. Tried again a few times where that may
 * help. Blocks. */
enum matrix_answer matrix_call(const struct matrix_client *client, const char *method, const char *path,
                               json_t *content, json_t **reply);

/* The same, tried once: what is not to be done twice when the answer is lost. */
enum matrix_answer matrix_call_once(const struct matrix_client *client, const char *method, const char *path,
                                    json_t *content, json_t **reply);

/* One of several. */
struct matrix_put {
    char *path;
    json_t *content;
    json_t *reply; /* the caller's; NULL: no JSON */
    enum matrix_answer answer;
};

/* All at once: in no order. Blocks until the last has ended. */
void matrix_put_all(const struct matrix_client *client, struct matrix_put *const *puts, size_t n);

/* GET of what need not be there: that it is not is REFUSED, and nothing to warn of. */
enum matrix_answer matrix_look(const struct matrix_client *client, const char *path, json_t **reply);

#endif
