/* Lists of the API: paging and filters once, for each list a function that reads a row.
 *
 * GET …?from=…&limit=… answers {"items": […], "next": "…"}: at most limit items (1 … 500; 100 when not said) of the
 * rows beyond number `from`, and from where the next page goes on; `next` is absent on the last. A page is full of what
 * the caller may see: how much else there is is nobody's business (A1). So `from` and `next` are sealed for the person
 * (rooms/read/token.h); an operator, who sees all, has the numbers. A handler is
 *
 *     return api_list_begin(&l, r, flags) && (may the caller?) && api_list_end(&l, rows, read_row);
 *
 * Whoever may see a list does not see each row: a row about somebody from whom the caller is kept (D9) is not there, as
 * that person's own page is not. So each row says about whom it is, and one that does not say is shown to nobody. That
 * costs one look for those who are kept from nobody. */
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
    LIST_OF_NUMBERS = 16,  /* rows of one number belong together and a page is so many numbers */
};

/* About whom a row is: two people at most. */
#define ABOUT_NOBODY 0

struct api_row {
    int64_t no;       /* 0: there are no more */
    json_t *item;     /* a new reference; NULL: not for the caller */
    user_no about[2]; /* whom it names; [0]: ABOUT_NOBODY when it names nobody */
};

struct api_listing {
    struct request *r;
    unsigned flags;
    struct actor actor;   /* who asks */
    struct viewer viewer; /* the same, for the store */
    bool kept;            /* D9: there is somebody from whom the caller is kept */
    int64_t after;        /* ?from=; 0: from the first */
    int limit;            /* ?limit= */
    int rows_max;         /* how many rows, or numbers, a query has to give for the page to be full */
    int64_t ends_at;      /* the handler's: the number that nothing follows; 0: not known beforehand */
    school_no school;     /* ?school=, known to the caller (A1); 0: not said */
    class_no class;       /* ?class= likewise */
    struct stmt *rows;
    void *state; /* the handler's */
};

/* false: r->error. */
bool api_list_begin(struct api_listing *l, struct request *r, unsigned flags);

/* Reads a row of l->rows into *row, which is empty before: no 0, no item, and about nobody knows whom. */
typedef void api_row_fn(struct api_listing *l, struct api_row *row);

/* Reads the page, ends rows (NULL: read keeps what it reads in l->state), and answers. Returns true. */
bool api_list_end(struct api_listing *l, struct stmt *rows, api_row_fn *read);

/* ?user_ids=: these people alone, by name and parted by commas; at is the handler's place in them. */
#define API_PEOPLE_MAX 100
struct api_people {
    user_no who[API_PEOPLE_MAX];
    size_t n, at;
};

/* n 0: it is not said. false: r->error: there are too many, or one whom the caller does not know (A1) or of whom the
 * records are not for them. */
bool api_list_people(struct api_listing *l, struct api_people *out);

/* D9: whether the caller is kept from that person: of members of replies, and of rows that name more people. */
bool api_kept_from(struct request *r, struct db *db, user_no user);

/* Sets who acted, by name ("@p…:school.example", "operator:region"), unless it is somebody from
 * whom the caller is kept. */
void api_set_actor(struct request *r, struct db *db, json_t *object, const char *key, const char *name);

/* Answers with what was collected otherwise, all at once. Takes items. Returns true. */
bool api_list_reply(struct request *r, json_t *items);

#endif
