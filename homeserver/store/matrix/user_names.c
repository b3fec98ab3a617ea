#include "homeserver/store/matrix/user_names.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/text.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/matrix/users.h"

#define PAGE 1024
#define PAGES 65536 /* 67 million numbers; beyond there are no names */
#define UNSURE 1u   /* lowest bit of a slot: read inside a job, may yet be rolled back */

struct page {
    _Atomic uintptr_t names[PAGE]; /* a char * of the heap, with UNSURE or without; 0: not known */
};

/* A string that is no longer a number's name but may still be held by somebody. */
struct old {
    struct old *next;
    char *name;
};

struct user_names {
    char *server;
    _Atomic user_no committed; /* a reader has seen this number: it and those before it are not rolled back any more */
    _Atomic(struct old *) old;
    _Atomic(struct page *) pages[PAGES];
};

struct user_names *user_names_create(const char *server_name)
{
    struct user_names *names = xcalloc(1, sizeof *names);
    names->server = xstrdup(server_name);
    return names;
}

static char *name_of(uintptr_t slot)
{
    return (char *)(slot & ~(uintptr_t)UNSURE);
}

void user_names_destroy(struct user_names *names)
{
    if (names == NULL)
        return;
    for (int i = 0; i < PAGES; ++i) {
        struct page *page = names->pages[i];
        for (int k = 0; page != NULL && k < PAGE; ++k)
            free(name_of(page->names[k]));
        free(page);
    }
    for (struct old *old = names->old, *next; old != NULL; old = next) {
        next = old->next;
        free(old->name);
        free(old);
    }
    free(names->server);
    free(names);
}

const char *user_names_server(const struct user_names *names)
{
    return names->server;
}

static void retire(struct user_names *names, char *name)
{
    struct old *old = xcalloc(1, sizeof *old);
    *old = (struct old){names->old, name};
    while (!atomic_compare_exchange_weak(&names->old, &old->next, old))
        ;
}

static struct page *page_of(struct user_names *names, user_no no)
{
    _Atomic(struct page *) *slot = &names->pages[no / PAGE];
    struct page *page = *slot, *fresh;
    if (page != NULL)
        return page;
    fresh = xcalloc(1, sizeof *fresh);
    if (atomic_compare_exchange_strong(slot, &page, fresh))
        return fresh;
    free(fresh);
    return page;
}

/* Puts name into its slot unless it is there already; takes name, returns the string that stands in the slot. */
static const char *settle(struct user_names *names, _Atomic uintptr_t *slot, char *name, bool sure)
{
    uintptr_t there = *slot, wanted;
    bool same;
    do {
        same = there != 0 && strcmp(name_of(there), name) == 0;
        wanted = same ? (uintptr_t)name_of(there) : (uintptr_t)name;
        if (!sure && (!same || (there & UNSURE)))
            wanted |= UNSURE;
    } while (!atomic_compare_exchange_weak(slot, &there, wanted));
    if (same)
        free(name);
    else if (there != 0)
        retire(names, name_of(there));
    return name_of(wanted);
}

void user_names_committed(struct user_names *names, user_no no)
{
    for (user_no seen = names->committed; seen < no;)
        if (atomic_compare_exchange_weak(&names->committed, &seen, no))
            break;
}

const char *user_names_get(struct user_names *names, struct db *db, user_no no)
{
    if (no <= 0 || no / PAGE >= PAGES)
        return NULL;
    _Atomic uintptr_t *slot = &page_of(names, no)->names[no % PAGE];
    uintptr_t known = *slot;
    if (known != 0 && !(known & UNSURE))
        return name_of(known);
    if (db == NULL)
        return known != 0 ? name_of(known) : NULL;
    char *name = users_id(db, names->server, no);
    if (name == NULL)
        return NULL;
    bool committed = !db_writes(db);
    if (committed)
        user_names_committed(names, no);
    return settle(names, slot, name, committed || no <= names->committed);
}
