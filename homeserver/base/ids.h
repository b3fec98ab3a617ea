/* Names of things, outside and inside.
 *
 * Outside they are strings of the Matrix grammar (Appendices, "Identifier Grammar"); inside they are integers: numbers
 * of rows (user, device, room) and positions in the one stream. A position also names the change that took it: an
 * event's position is its number. The translation happens at the edge, in store/ look-ups. */
#ifndef PARTA_BASE_IDS_H
#define PARTA_BASE_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int64_t user_no;    /* > 0; 0: none */
typedef int64_t device_no;  /* > 0; 0: none */
typedef int64_t client_no;  /* > 0; 0: none (not signed in by OAuth) */
typedef int64_t room_no;    /* > 0; 0: none (global account data) */
typedef int64_t stream_pos; /* > 0; 0: before everything */
typedef int64_t school_no;  /* > 0; 0: none */
typedef int64_t class_no;   /* > 0; 0: none */

#define ID_BYTES_MAX 255 /* any user, room, event id or alias, in bytes */

/* The localpart of "@localpart:server" in *localpart (not NUL-terminated) and its length, if user_id is well-formed and
 * of this server; any valid historical localpart is accepted. */
bool user_id_split(const char *user_id, const char *server, const char **localpart, size_t *len);

/* Whether s is a server's name: a DNS name, IPv4 address or [IPv6 address], with or without a port (Appendices, "Server
 * Name"). */
bool server_name_valid(const char *s);

/* Whether the sigil, length and shape are those of an id of any server. A user's localpart may be anything but ':' and
 * NUL, even empty: such users exist (Appendices, "Historical User IDs"); localpart_valid_for_new is stricter. */
bool user_id_valid(const char *s);
bool room_id_valid(const char *s);  /* "!opaque:server", or "!hash" of room version 12 */
bool event_id_valid(const char *s); /* "$opaque:server" or "$hash" */
bool alias_valid(const char *s);    /* "#localpart:server" */

/* Whether a new user may be called so: a-z 0-9 . _ = - / + and at most 255 bytes in the whole id. */
bool localpart_valid_for_new(const char *localpart, const char *server);

/* The localpart that somebody typed as a new one has it: A to Z in lower case (Appendices, "User Identifiers"). false:
 * it is longer than any may be. */
bool localpart_fold(const char *typed, char out[ID_BYTES_MAX + 1]);

const char *id_server(const char *id); /* borrowed: behind the first ':'; "" if there is none */

/* Whether s is the address of a piece of media, "mxc://server/id": an id has A-Z a-z 0-9 - _ only (Client-Server API,
 * "Matrix Content (mxc://) URIs"). */
bool mxc_valid(const char *s);

/* Whether the first len bytes of s are a name for machines, at most max of A-Z a-z 0-9 . _ - (what a person cannot take
 * back, in a school, is no more than that), and not empty. */
bool id_is_token(const char *s, size_t len, size_t max);

/* Whether a key or type is the server's own, org.parta.…: never taken from a client. */
bool id_is_reserved(const char *s);

bool utf8_valid(const char *s, size_t len); /* no NUL, no surrogates, nothing over U+10FFFF */

/* How many of the first max bytes (or fewer, where the text ends) are whole characters; s: UTF-8 of len bytes. */
size_t utf8_cut(const char *s, size_t len, size_t max);

#endif
