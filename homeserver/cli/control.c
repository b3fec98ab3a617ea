#include "homeserver/cli/control.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "homeserver/base/config.h"
#include "homeserver/base/io.h"
#include "homeserver/base/json.h"
#include "homeserver/base/log.h"
#include "homeserver/base/thread.h"
#include "homeserver/cli/verb.h"
#include "homeserver/store/driver/db.h"

#define HEAD_BYTES_MAX 65536 /* of the line of JSON */
#define REPLY_BYTES_MAX (256 << 20)
#define PAUSE_MS 200  /* when there is no descriptor for who wants to speak */
#define PATIENCE_S 10 /* for each piece that parta sends */

struct control {
    struct services services;
    pthread_t thread;
    int listener, stop; /* stop: an eventfd that becomes readable */
    _Atomic bool stopping;
};

/* ---- Both sides: a socket's address, bytes in and out. */

static bool address_of(const char *path, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof out->sun_path)
        return false;
    strcpy(out->sun_path, path);
    return true;
}

/* One piece more; 0: the end, or the other side is silent. */
static size_t receive(int fd, struct text *into)
{
    char piece[16384];
    ssize_t n;
    do
        n = recv(fd, piece, sizeof piece, 0);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return 0;
    text_add(into, piece, (size_t)n);
    return (size_t)n;
}

/* ---- The server's side. */

/* Reads until the line is whole; what follows it in bytes belongs to the input. NULL: ill-formed. */
static json_t *receive_head(int fd, struct text *bytes, size_t *line_len)
{
    struct error e = {0};
    const char *end;
    do {
        if (bytes->len > HEAD_BYTES_MAX || receive(fd, bytes) == 0)
            return NULL;
        end = memchr(bytes->data, '\n', bytes->len);
    } while (end == NULL);
    *line_len = (size_t)(end - bytes->data) + 1;
    return json_parse(bytes->data, *line_len, &e);
}

static bool take_input(int fd, const json_t *head, struct text *bytes, size_t line_len, struct text *input)
{
    int64_t len = json_get_int(head, "input", 0);
    if (len < 0 || len > CONTROL_INPUT_MAX)
        return false;
    text_add(input, bytes->data + line_len, bytes->len - line_len);
    while (input->len < (size_t)len)
        if (receive(fd, input) == 0)
            return false;
    return input->len == (size_t)len;
}

static bool fill_strings(const json_t *array, const char **out, size_t max, int *n)
{
    size_t i;
    json_t *item;
    if (json_array_size(array) > max)
        return false;
    json_array_foreach(array, i, item) {
        out[i] = json_string_value(item);
        if (out[i] == NULL && !json_is_null(item))
            return false;
    }
    *n = (int)json_array_size(array);
    return true;
}

/* head is borrowed by the call. */
static bool fill_call(const json_t *head, struct verb_call *call)
{
    int n_options;
    const char *name = json_get_string(head, "verb");
    call->verb = name != NULL ? verb_find(name) : NULL;
    return call->verb != NULL && (call->verb->flags & VERB_WRITES) != 0 &&
           fill_strings(json_get_array(head, "args"), call->args, VERB_ARGS_MAX, &call->n_args) &&
           fill_strings(json_get_array(head, "options"), call->options, VERB_OPTIONS_MAX, &n_options) &&
           call->n_args >= call->verb->args_min;
}

bool control_hear(int fd, struct verb_call *call, json_t **head)
{
    struct text bytes = TEXT_INIT;
    size_t line_len = 0;
    *head = receive_head(fd, &bytes, &line_len);
    bool heard = *head != NULL && fill_call(*head, call) && take_input(fd, *head, &bytes, line_len, &call->input);
    text_finish(&bytes);
    return heard;
}

static bool run_verb(struct control *control, struct verb_call *call)
{
    struct services services = control->services;
    services.db = db_open(services.config->database_path, DB_READ, NULL);
    if (services.db == NULL)
        return verb_fail(call, "The database can't be read; the server's log says more.");
    call->config = services.config;
    call->services = &services;
    log_line(LOG_INFO, "control", "command", "verb", call->verb->name, NULL);
    bool done = call->verb->run(call);
    db_close(services.db);
    return done;
}

/* What is not UTF-8 can't be told. */
static json_t *text_value(const struct text *text)
{
    json_t *value = text->len != 0 ? json_stringn(text->data, text->len) : NULL;
    return value != NULL ? value : json_string("");
}

/* Who has stopped reading must not hold up the work. */
static void tell(struct verb_call *call, const char *line)
{
    struct text note = TEXT_INIT;
    text_adds(&note, "{\"note\":");
    text_add_json(&note, line);
    text_adds(&note, "}\n");
    if (call->heard_on >= 0 && !io_send_all(call->heard_on, note.data, note.len))
        call->heard_on = -1;
    text_finish(&note);
}

static void reply(int fd, const struct verb_call *call, bool done)
{
    struct text out = TEXT_INIT;
    json_t *reply =
        json_pack("{s:b, s:b, s:s, s:o, s:o, s:o}", "done", done, "misused", call->misused, "asks", call->asks, "out",
                  text_value(&call->out), "notes", text_value(&call->notes), "problem", text_value(&call->problem));
    if (reply != NULL && *call->held != '\0') {
        json_object_set_new(reply, "held", json_string(call->held));
        json_object_set_new(reply, "held_version", json_string(call->held_version));
    }
    if (reply != NULL)
        json_add_canonical(&out, reply);
    io_send_all(fd, out.data, out.len);
    json_decref(reply);
    text_finish(&out);
}

static void serve(struct control *control, int fd)
{
    struct timeval patience = {.tv_sec = PATIENCE_S};
    struct verb_call call = {.note = tell, .heard_on = fd};
    json_t *head;
    bool done = false;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (control_hear(fd, &call, &head))
        done = run_verb(control, &call);
    else
        verb_fail(&call, "The server did not understand; is it of another version than parta?");
    reply(fd, &call, done);
    json_decref(head);
    text_finish(&call.input);
    text_finish(&call.out);
    text_finish(&call.notes);
    text_finish(&call.problem);
}

/* Without a descriptor or memory for it the connection stays where it is, and the listener readable: to ask again at
 * once would only keep a core busy. */
static void *listen_on(void *arg)
{
    struct control *control = arg;
    struct pollfd events[] = {{.fd = control->stop, .events = POLLIN}, {.fd = control->listener, .events = POLLIN}};
    while (!control->stopping) {
        if (poll(events, 2, -1) < 0)
            continue;
        int fd = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            serve(control, fd);
            close(fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            poll(events, 1, PAUSE_MS);
    }
    return NULL;
}

static int listen_at(const char *path)
{
    struct sockaddr_un address;
    int fd = -1;
    if (address_of(path, &address))
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    else
        errno = ENAMETOOLONG;
    if (fd < 0) {
        log_error("control", "%s: %s", path, strerror(errno));
        return -1;
    }
    unlink(path); /* of a server that was killed: the lock says that none is running */
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && chmod(path, 0600) == 0 && listen(fd, 8) == 0)
        return fd;
    log_error("control", "%s: %s", path, strerror(errno));
    close(fd);
    return -1;
}

struct control *control_start(const struct services *services)
{
    struct control *control = xcalloc(1, sizeof *control);
    control->services = *services;
    control->services.stopping = &control->stopping;
    control->listener = listen_at(services->config->control_path);
    control->stop = eventfd(0, EFD_CLOEXEC);
    if (control->stop < 0)
        log_error("control", "no descriptor: %s", strerror(errno));
    if (control->listener >= 0 && control->stop >= 0 &&
        thread_start(&control->thread, "control", 0, listen_on, control))
        return control;
    log_warn("control", "%s: parta can't act while the server runs", services->config->control_path);
    if (control->listener >= 0)
        close(control->listener);
    if (control->stop >= 0)
        close(control->stop);
    free(control);
    return NULL;
}

void control_stop(struct control *control)
{
    if (control == NULL)
        return;
    control->stopping = true;
    eventfd_write(control->stop, 1);
    pthread_join(control->thread, NULL);
    unlink(control->services.config->control_path);
    close(control->listener);
    close(control->stop);
    free(control);
}

/* ---- parta's side. */

static void add_strings(struct text *out, const char *const *strings, int n)
{
    text_addc(out, '[');
    for (int i = 0; i < n; ++i) {
        text_adds(out, i != 0 ? "," : "");
        if (strings[i] != NULL)
            text_add_json(out, strings[i]);
        else
            text_adds(out, "null");
    }
    text_addc(out, ']');
}

static bool send_call(int fd, const struct verb_call *call)
{
    struct text head = TEXT_INIT;
    text_adds(&head, "{\"verb\":");
    text_add_json(&head, call->verb->name);
    text_adds(&head, ",\"args\":");
    add_strings(&head, call->args, call->n_args);
    text_adds(&head, ",\"options\":");
    add_strings(&head, call->options, VERB_OPTIONS_MAX);
    text_addf(&head, ",\"input\":%zu}\n", call->input.len);
    bool sent = io_send_all(fd, head.data, head.len) && io_send_all(fd, call->input.data, call->input.len);
    text_finish(&head);
    return sent;
}

static void add_member(const json_t *reply, const char *key, struct text *into)
{
    const char *said = json_get_string(reply, key);
    text_adds(into, said != NULL ? said : "");
}

/* A reply has no line's end. */
void control_take_notes(struct text *bytes, struct verb_call *call)
{
    struct error e = {0};
    size_t taken = 0;
    for (const char *end; (end = memchr(bytes->data + taken, '\n', bytes->len - taken)) != NULL;
         taken = (size_t)(end - bytes->data) + 1) {
        json_t *note = json_parse(bytes->data + taken, (size_t)(end - bytes->data) - taken, &e);
        const char *line = note != NULL ? json_get_string(note, "note") : NULL;
        verb_note(call, line != NULL ? line : "?");
        json_decref(note);
    }
    bytes->len -= taken;
    memmove(bytes->data, bytes->data + taken, bytes->len + 1); /* with its NUL */
}

bool control_take_reply(const struct text *bytes, struct verb_call *call, bool *done)
{
    struct error e = {0};
    json_t *reply = bytes->len != 0 ? json_parse(bytes->data, bytes->len, &e) : NULL;
    if (reply == NULL)
        return false;
    *done = json_get_bool(reply, "done", false);
    call->misused = json_get_bool(reply, "misused", false);
    const char *asks = json_get_string(reply, "asks");
    snprintf(call->asks, sizeof call->asks, "%s", asks != NULL ? asks : "");
    text_clear(&call->problem);
    add_member(reply, "out", &call->out);
    add_member(reply, "notes", &call->notes);
    add_member(reply, "problem", &call->problem);
    const char *held = json_get_string(reply, "held"), *version = json_get_string(reply, "held_version");
    snprintf(call->held, sizeof call->held, "%s", held != NULL ? held : "");
    snprintf(call->held_version, sizeof call->held_version, "%s", version != NULL ? version : "");
    json_decref(reply);
    return true;
}

bool control_ask(const char *path, struct verb_call *call, bool *done)
{
    struct sockaddr_un address;
    struct text bytes = TEXT_INIT;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *done = false;
    bool asked = fd >= 0 && address_of(path, &address) && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (!asked)
        verb_fail(call, "The server is running, or another parta is, and does not hear commands (%s).", path);
    else if (!send_call(fd, call))
        verb_fail(call, "The server went away while it was asked.");
    else {
        while (bytes.len <= REPLY_BYTES_MAX && receive(fd, &bytes) != 0)
            control_take_notes(&bytes, call);
        if (!control_take_reply(&bytes, call, done))
            verb_fail(call, "The server went away before it answered: look whether it was done.");
    }
    if (fd >= 0)
        close(fd);
    text_finish(&bytes);
    return asked;
}
