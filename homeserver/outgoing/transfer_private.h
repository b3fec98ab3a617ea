/* One transfer: its request, copied, and the curl handle of an attempt. Only homeserver/outgoing includes this. */
#ifndef PARTA_OUTGOING_TRANSFER_PRIVATE_H
#define PARTA_OUTGOING_TRANSFER_PRIVATE_H

#include <curl/curl.h>

#include "homeserver/outgoing/transfer.h"

#define DESTINATION_BYTES_MAX 320

struct transfer {
    struct transfer *prev, *next; /* of what waits at its destination, or of what runs */
    struct destination *destination;
    struct outgoing_request request; /* its strings lie in memory */
    struct outgoing_mail mail;
    struct outgoing_handler handler;
    bool urgent; /* somebody waits for it */
    char *memory;
    size_t bytes; /* of it */

    int64_t due_ms; /* clock_mono_ms of the next attempt */
    CURL *easy;     /* NULL: waiting */
    struct curl_slist *headers, *recipients;
    struct outgoing_reply reply;
    size_t sent;                                 /* bytes of a mail that curl has taken */
    bool headed;                                 /* HTTP: the empty line after the headers came */
    bool too_large, refused_private, met_public; /* of this attempt: what its addresses were */
};

/* Copies all of the request, but what handler points to, which is the caller's. Never NULL; not tried yet. Its
 * destination, times and place in a queue are filled in by who queues it. */
struct transfer *transfer_create(const struct outgoing_request *request, const struct outgoing_handler *handler);
void transfer_destroy(struct transfer *transfer); /* not NULL, nor while an attempt runs; wipes what was to be sent */

/* A handle for one more attempt, in transfer->easy; the caller adds it to its multi handle. */
void transfer_begin(struct transfer *transfer);

/* The attempt has ended, the handle is off the multi handle: fills transfer->reply. */
void transfer_end(struct transfer *transfer, CURLcode code);

/* curl's callback for a line of the reply's head. arg: the transfer. */
size_t transfer_take_header(char *line, size_t size, size_t n, void *arg);

/* "https://host:443", in lower case, of the request's address. false: it is none that the request may have. */
bool transfer_destination(const struct outgoing_request *request, char out[DESTINATION_BYTES_MAX]);

#endif
