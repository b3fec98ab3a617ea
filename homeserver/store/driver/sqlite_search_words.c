#include "homeserver/store/driver/sqlite_search_words.h"

#include <libstemmer.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/ids.h"
#include "homeserver/base/log.h"
#include "homeserver/base/text.h"
#include "homeserver/store/driver/db_private.h"

#define WORD_BYTES_MAX 96 /* longer ones are compared by their beginning */
#define FIRST_TEXT 1      /* the columns from here on are what people wrote */
#define USUAL_WORDS 12.0  /* in a message */

/* --- The tokenizer --- */

struct words {
    fts5_tokenizer splits; /* unicode61 */
    Fts5Tokenizer *splitter;
    struct sb_stemmer *russian, *english; /* one thread's, as the connection is */
};

typedef int token_fn(void *arg, int flags, const char *token, int n, int from, int upto);

struct hearing {
    const struct words *words;
    void *arg;
    token_fn *token;
};

static void destroy(Fts5Tokenizer *tokenizer)
{
    struct words *words = (struct words *)tokenizer;
    if (words->splitter != NULL)
        words->splits.xDelete(words->splitter);
    sb_stemmer_delete(words->russian);
    sb_stemmer_delete(words->english);
    free(words);
}

static int create(void *api, const char **args, int n, Fts5Tokenizer **out)
{
    static const char *const KEEP_MARKS[] = {"remove_diacritics", "0"}; /* й is no и */
    struct words *words = xcalloc(1, sizeof *words);
    fts5_api *fts5 = api;
    void *self;
    (void)args;
    (void)n;
    words->russian = sb_stemmer_new("russian", "UTF_8");
    words->english = sb_stemmer_new("english", "UTF_8");
    int rc = fts5->xFindTokenizer(fts5, "unicode61", &self, &words->splits);
    if (rc == SQLITE_OK)
        rc = words->splits.xCreate(self, (const char **)KEEP_MARKS, 2, &words->splitter);
    if (rc == SQLITE_OK && (words->russian == NULL || words->english == NULL))
        rc = SQLITE_ERROR;
    if (rc != SQLITE_OK)
        destroy((Fts5Tokenizer *)words);
    *out = rc == SQLITE_OK ? (Fts5Tokenizer *)words : NULL;
    return rc;
}

/* Which stemmer takes a word; NULL: none. */
static struct sb_stemmer *stemmer_of(const struct words *words, const char *s, int n)
{
    int latin = 0, cyrillic = 0;
    for (int i = 0; i < n; ++i) {
        unsigned char c = (unsigned char)s[i];
        latin += c >= 'a' && c <= 'z';
        cyrillic += (c == 0xd0 || c == 0xd1) && i + 1 < n ? 2 : 0;
    }
    return latin == n ? words->english : cyrillic == n ? words->russian : NULL;
}

/* ё, U+0451, is D1 91; е, U+0435, D0 B5. */
static void fold_yo(char *s, int n)
{
    for (int i = 0; i + 1 < n; ++i)
        if (s[i] == '\xd1' && s[i + 1] == '\x91') {
            s[i] = '\xd0';
            s[i + 1] = '\xb5';
        }
}

static int hear(void *arg, int flags, const char *token, int n, int from, int upto)
{
    const struct hearing *hearing = arg;
    char word[WORD_BYTES_MAX];
    n = (int)utf8_cut(token, (size_t)n, WORD_BYTES_MAX);
    memcpy(word, token, (size_t)n);
    fold_yo(word, n);
    struct sb_stemmer *stemmer = stemmer_of(hearing->words, word, n);
    const sb_symbol *stem = stemmer != NULL ? sb_stemmer_stem(stemmer, (const sb_symbol *)word, n) : NULL;
    int length = stem != NULL ? sb_stemmer_length(stemmer) : 0;
    if (length > 0)
        return hearing->token(hearing->arg, flags, (const char *)stem, length, from, upto);
    return hearing->token(hearing->arg, flags, word, n, from, upto);
}

static int tokenize(Fts5Tokenizer *tokenizer, void *arg, int flags, const char *text, int n, token_fn *token)
{
    const struct words *words = (const struct words *)tokenizer;
    struct hearing hearing = {words, arg, token};
    return words->splits.xTokenize(words->splitter, &hearing, flags, text, n, hear);
}

/* --- The rank --- */

/* BM25 without what it asks of all other texts, how rare each word is: they are of people who are not to be known (A1),
 * and to count them would read the whole index. */
static void rank(const Fts5ExtensionApi *api, Fts5Context *fts5, sqlite3_context *context, int n, sqlite3_value **args)
{
    int phrases = api->xPhraseCount(fts5), instances = 0, words = 0, rc;
    double *often = xcalloc((size_t)phrases + 1, sizeof *often), sum = 0;
    (void)n;
    (void)args;
    rc = api->xInstCount(fts5, &instances);
    for (int i = 0; rc == SQLITE_OK && i < instances; ++i) {
        int phrase, column, offset;
        rc = api->xInst(fts5, i, &phrase, &column, &offset);
        if (rc == SQLITE_OK && column >= FIRST_TEXT) {
            ++often[phrase];
            rc = words != 0 ? SQLITE_OK : api->xColumnSize(fts5, column, &words);
        }
    }
    for (int i = 0; i < phrases; ++i)
        sum += often[i] * 2.2 / (often[i] + 1.2 * (0.25 + 0.75 * words / USUAL_WORDS));
    free(often);
    if (rc == SQLITE_OK)
        sqlite3_result_int64(context, (sqlite3_int64)(sum * 1000));
    else
        sqlite3_result_error_code(context, rc);
}

/* --- The connection --- */

static fts5_api *api_of(sqlite3 *raw)
{
    fts5_api *api = NULL;
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(raw, "SELECT fts5(?1)", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_bind_pointer(stmt, 1, &api, "fts5_api_ptr", NULL) == SQLITE_OK)
        sqlite3_step(stmt);
    sqlite3_finalize(stmt);
    return api;
}

bool search_words_add(struct db *db)
{
    static fts5_tokenizer parta = {create, destroy, tokenize};
    fts5_api *api = api_of(db->raw);
    bool done = api != NULL && api->xCreateTokenizer(api, "parta", api, &parta, NULL) == SQLITE_OK &&
                api->xCreateFunction(api, "search_rank", NULL, rank, NULL) == SQLITE_OK;
    if (!done)
        log_error("search", "this SQLite (%s) has no FTS5", sqlite3_libversion());
    return done;
}
