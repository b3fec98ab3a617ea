/* The schools' pupils and classes, as the school API tells them (docs/openapi.json), in memory: in what records are
 * found whose they are. Read anew now and then; never written to disk.
 *
 * A name alone finds nobody. A rule match needs family and given name, birth date and class, all three, and exactly one
 * pupil whom they fit; a middle name, where both sides have one, must fit too. */
#ifndef PARTA_DIARY_ROSTER_H
#define PARTA_DIARY_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "appservice/diary/reading.h"
#include "homeserver/base/text.h"

struct outgoing;
struct roster;

#define ROSTER_PEOPLE_MAX 100000
#define ROSTER_PAGE_BYTES_MAX (8u << 20)

/* Where the school API is. */
struct roster_api {
    struct outgoing *outgoing;
    const char *url;            /* https://…, no slash at the end */
    const char *token;          /* an operator's that may read */
    const char *const *schools; /* sourcedIds */
    size_t n_schools;
    const char *ca_file; /* NULL: the system's */
    const _Atomic bool *stop;
};

/* Reads all of it. NULL: *problem says why, without anybody's name. Blocks (network). */
struct roster *roster_load(const struct roster_api *api, struct text *problem);

struct roster *roster_create(void);         /* empty, never NULL; for roster_take_… and roster_end */
void roster_destroy(struct roster *roster); /* wipes it; NULL is accepted */

/* Take a page of GET /people, /classes and /classes/{class}/enrollments; *next: its "next", heap, or NULL. false: it is
 * not such a page. After the last: roster_end. */
bool roster_take_people(struct roster *roster, const char *bytes, size_t len, char **next);
bool roster_take_classes(struct roster *roster, const char *bytes, size_t len, char **next);
bool roster_take_enrollments(struct roster *roster, const char *class_id, const char *bytes, size_t len, char **next);
void roster_end(struct roster *roster);

/* How many. */
size_t roster_pupils(const struct roster *roster);
size_t roster_classes(const struct roster *roster);
const char *roster_class_at(const struct roster *roster, size_t i); /* its sourcedId */

/* Matrix id of the pupil of this sourcedId; NULL: the roster has none. All borrowed. */
const char *roster_pupil(const struct roster *roster, const char *sourced_id);
const char *roster_class(const struct roster *roster, const char *sourced_id); /* that id, as the roster has it */

/* By the rule. NULL: *why is what is missing. */
const char *roster_by_rule(const struct roster *roster, const struct diary_person *person, const char **why);

#endif
