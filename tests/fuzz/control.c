/* The control socket, both sides: the first byte chooses. The server's hears a call that comes by a socket, of which
 * the other end is closed behind the bytes; parta's takes notes and the reply. Nothing may crash or leak; what is heard
 * is a verb of the table with what it needs. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "homeserver/base/log.h"
#include "homeserver/cli/control.h"
#include "homeserver/cli/verb.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void finish(struct verb_call *call)
{
    text_finish(&call->input);
    text_finish(&call->out);
    text_finish(&call->notes);
    text_finish(&call->problem);
}

static void hear(const uint8_t *bytes, size_t len)
{
    int ends[2];
    json_t *head;
    struct verb_call call = {.heard_on = -1};
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    ssize_t sent = send(ends[0], bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL); /* up to what the socket holds */
    shutdown(ends[0], SHUT_WR);
    if (control_hear(ends[1], &call, &head)) {
        must(call.verb != NULL && verb_find(call.verb->name) == call.verb && (call.verb->flags & VERB_WRITES) != 0);
        must(call.n_args >= call.verb->args_min && call.n_args <= VERB_ARGS_MAX && (ssize_t)call.input.len < sent);
    }
    json_decref(head);
    finish(&call);
    close(ends[0]);
    close(ends[1]);
}

static void take(const uint8_t *bytes, size_t len)
{
    bool done = false;
    struct verb_call call = {.heard_on = -1};
    struct text got = TEXT_INIT;
    text_add(&got, (const char *)bytes, len);
    control_take_notes(&got, &call);
    must(got.len <= len && memchr(got.data, '\n', got.len) == NULL);
    must(control_take_reply(&got, &call, &done) || !done);
    must(strlen(call.asks) < sizeof call.asks && strlen(call.held) < sizeof call.held);
    text_finish(&got);
    finish(&call);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    log_set_level(LOG_ERROR);
    if (len > 1)
        (bytes[0] == 'r' ? take : hear)(bytes + 1, len - 1);
    return 0;
}
