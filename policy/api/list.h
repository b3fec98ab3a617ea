/* Lists of the API: paging and filters once, for each list a function that reads a row.
 *
 * GET …?from=…&limit=… answers {"items": […], "next": "…"}: at most limit items (1 … 500; 100 when not said) of the
 * rows beyond number `from`, and from where the next page goes on; `next` is absent on the last. A page is full of what
 * the caller may see: how much else there is is nobody's business (A1). A handler is
 *
 *     return api_list_begin(&l, r, flags) && (may the caller?) && api_list_end(&l, rows, read_row); */
#ifndef PARTA_POLICY_API_LIST_H
#define PARTA_POLICY_API_LIST_H

#include <jansson.h>

#include "homeserver/http/request.h"
#include "homeserver/store/school/viewer.h"
#include "policy/gate/school_gate.h"

struct stmt;

enum api_list_flags {
    LIST_BY_SCHOOL = 1,    /* takes ?school= */
    LIST_BY_CLASS = 2,     /* takes ?class= */
    LIST_OF_ONE_PLACE = 4, /* people must say which school or class; operators see all */
    LIST_WHOLE = 8,        /* all at once: ?from= and ?limit= are not looked at */
    LIST_OF_NUMBERS = 16,  /* rows of one number belong together and a page is so many numbers: the query bounds it */
};

struct api_listing {
    struct request *r;
    unsigned flags;
    struct actor actor;   /* who asks */
    struct viewer viewer; /* the same, for the store */
    int64_t after;        /* ?from=; 0: from the first */
    int limit;            /* ?limit= */
    int64_t ends_at;      /* the handler's: the number that nothing follows; 0: not known beforehand */
    school_no school;     /* ?school=, known to the caller (A1); 0: not said */
    class_no class;       /* ?class= likewise */
    struct stmt *rows;
    void *state; /* the handler's */
};

/* false: r->error. */
bool api_list_begin(struct api_listing *l, struct request *r, unsigned flags);

/* Reads a row of l->rows: its number; 0: there are no more. *item: a new reference; left NULL: not for the caller. */
typedef int64_t api_row_fn(struct api_listing *l, json_t **item);

/* Reads the page, ends rows (NULL: read keeps what it reads in l->state), and answers. Returns true. */
bool api_list_end(struct api_listing *l, struct stmt *rows, api_row_fn *read);

/* Answers with what was collected otherwise, all at once. Takes items. Returns true. */
bool api_list_reply(struct request *r, json_t *items);

#endif
