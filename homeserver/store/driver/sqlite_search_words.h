/* Words as a search index knows them (search_index.h): SQLite's tokenizer "parta" and the rank "search_rank".
 *
 * A text falls into words as SQLite's unicode61 has it, in lower case; ё counts as е. A word of Latin or Cyrillic
 * letters is brought to its stem by Snowball's English or Russian stemmer (libstemmer): "книгами" and "книга" are one
 * word, "running" and "runs", too. What holds a digit, or letters of both, stays as it is. */
#ifndef PARTA_STORE_DRIVER_SQLITE_SEARCH_WORDS_H
#define PARTA_STORE_DRIVER_SQLITE_SEARCH_WORDS_H

#include <stdbool.h>

struct db;

/* Makes both known to this connection: before the first statement that needs them. false: logged. */
bool search_words_add(struct db *db);

#endif
