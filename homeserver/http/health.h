/* GET /health, on every listener: 200 while the server can do its work, 503 with a word of what is wrong. Nothing of
 * what it keeps is told, so that anybody may ask. */
#ifndef PARTA_HTTP_HEALTH_H
#define PARTA_HTTP_HEALTH_H

struct server;

/* The body, static storage. Any thread; asks nobody, so that it is answered at once. */
const char *health_text(const struct server *server, int *status);

#endif
