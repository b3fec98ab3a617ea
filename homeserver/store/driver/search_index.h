/* The index of words: which texts hold which (SQLite's FTS5, words as sqlite_search_words.h has them).
 *
 * It is a file of its own, beside the database and whichever database that is: what lies in it follows from the events,
 * so that it is in no backup, may be deleted, and is made anew (homeserver/search/search.h). It is written by its own
 * connection: neither writing nor tidying it holds up the writer.
 *
 * How far it is stands in the file, too, and is written in the transaction that takes it there: after a crash the
 * two agree.
 *
 * A text is taken out whole: its row by SQLite's secure_delete, its words by FTS5's where SQLite has that (3.42), else
 * by merging the index's segments (search_index_purge), which alone makes FTS5 forget a word. */
#ifndef PARTA_STORE_DRIVER_SEARCH_INDEX_H
#define PARTA_STORE_DRIVER_SEARCH_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/ids.h"

struct search_index;
struct stmt;

/* What it covers: the events in (older, newest]; below older nothing yet. */
struct search_index_extent {
    stream_pos older, newest;
    char
        event_id[ID_BYTES_MAX + 1]; /* of the event at newest; "": there is none. Another one there: another database */
};

struct search_index_text {
    stream_pos pos;
    room_no room;
    user_no sender;
    const char *body, *name, *topic; /* NULL: none */
};

/* The one that writes; makes the file, and makes it anew if it is none that this program understands, or if what FTS5
 * keeps of its segments is damaged: all of it follows from the events. NULL: logged. Blocks. */
struct search_index *search_index_open(const char *path);
struct search_index *search_index_open_reader(const char *path); /* of a file that is there. NULL: logged */
void search_index_delete(const char *path);                      /* that nobody has open */
void search_index_close(struct search_index *index);             /* NULL is accepted */

/* The writing one. Each answers false when it failed (logged). A transaction: begin, some of the others, commit. */
bool search_index_begin(struct search_index *index);
bool search_index_commit(struct search_index *index);   /* rolled back when it fails */
void search_index_rollback(struct search_index *index); /* and the failure forgotten */
bool search_index_extent(struct search_index *index, struct search_index_extent *out);
bool search_index_set_extent(struct search_index *index, const struct search_index_extent *extent);
bool search_index_put(struct search_index *index, const struct search_index_text *text); /* that is not in it */
bool search_index_remove(struct search_index *index, stream_pos pos);
bool search_index_clear(struct search_index *index); /* of all texts */

/* Outside a transaction: goes on making the file forget the words of what was removed; to be called until *done. */
bool search_index_purge(struct search_index *index, bool *done);
/* After a purge: whether so many have been that the texts are to be cleared and put anew, before SQLite takes the table
 * for damaged. Blocks (a row). */
bool search_index_is_worn(struct search_index *index);
/* db_scrub of the file. */
bool search_index_scrub(struct search_index *index, int64_t at_most_bytes, bool *whole);

/* --- Finding --- */

#define SEARCH_WORDS_MAX 32 /* words and phrases of a query */
#define SEARCH_ROOMS_MAX 400

enum search_keys { SEARCH_BODY = 1, SEARCH_NAME = 2, SEARCH_TOPIC = 4 };

struct search_index_query {
    const char *term;     /* words, all of which are to be there; those between two " one after the other */
    unsigned keys;        /* enum search_keys: where */
    const room_no *rooms; /* of these, at most SEARCH_ROOMS_MAX */
    size_t n_rooms;
    const user_no *senders; /* NULL: of anybody; at most SEARCH_ROOMS_MAX */
    size_t n_senders;
};

/* As FTS5 is asked: heap. Whatever term holds, it is words of it. NULL: there are none, or too many. */
char *search_index_match(const struct search_index_query *query);

/* Texts that match, below a position, newest first, at most limit; each with its rank, a larger number for a better
 * one, if ranked. stmt_end after. A reader's. */
struct stmt *search_index_find(struct search_index *index, const char *match, stream_pos below, bool ranked,
                               int64_t limit);
bool search_index_next(struct stmt *q, stream_pos *pos, int64_t *rank);

/* The text of one that matches, with each word that did between \x02 and \x03, heap; *rank. NULL:
 * it is there no more. */
char *search_index_marked(struct search_index *index, const char *match, stream_pos pos, int64_t *rank);

bool search_index_failed(struct search_index *index); /* since the last call of it */

#endif
