/* Tokens of positions and cursors of lists: no text may crash the parser or be taken for what nobody sealed; what was
 * sealed comes back for its person; and changed anywhere, or for somebody else, it does not. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/log.h"
#include "homeserver/rooms/read/hierarchy.h"
#include "homeserver/rooms/read/token.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/incarnations.h"
#include "homeserver/store/driver/schema.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define OLD_END 1000 /* of the runs that gave bare numbers, 0 and 77 */

static struct incarnations *in;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    log_set_level(LOG_ERROR);
    struct db *db = crypto_start() ? db_open(":memory:", DB_WRITE, NULL) : NULL;
    if (db == NULL || !schema_migrate(db) ||
        !db_script(db, "INSERT INTO incarnations (incarnation, began_ms, end_pos) VALUES (77, 1, 1000)") ||
        (in = incarnations_load(db, OLD_END)) == NULL || !incarnations_begin(in, db, 1))
        abort();
    db_close(db);
    return 0;
}

/* All that anybody could have made up and that is taken lies in a run that is over. */
static void check_made_up(const char *text)
{
    int64_t out = -1;
    if (token_parse_cursor(text, in, 1, &out))
        abort();
    out = -1;
    enum token said = token_parse(text, in, 1, &out);
    if (said != TOKEN_NONE && (out < 0 || out > OLD_END))
        abort();
    if (said == TOKEN_GOOD && text[0] != 's')
        abort();
    struct token_pos pos;
    if (token_parse_openid(text, in, &out) || token_parse_pos(text, in, 1, 1, &pos) == TOKEN_GOOD)
        abort();
}

/* A page of a space's tree has another kind, which says nothing of anybody: what is taken is as we write it. */
static void check_hierarchy(const char *text)
{
    struct hierarchy_token token;
    struct text again = TEXT_INIT;
    if (!hierarchy_token_parse(text, &token))
        return;
    hierarchy_token_add(&again, &token);
    if (strcmp(again.data, text) != 0)
        abort();
    text_finish(&again);
}

/* A connection's pos is its own and its person's; the position in it is read whatever the connection. */
static void check_pos(user_no whose, int64_t number, size_t at, char other)
{
    struct text token = TEXT_INIT;
    const struct token_pos sealed = {.pos = number, .more = whose};
    struct token_pos pos;
    int64_t out = -1;
    token_add_pos(&token, in, whose, 5, &sealed);
    if (token_parse_pos(token.data, in, whose, 5, &pos) != TOKEN_GOOD || pos.pos != number || pos.more != whose ||
        token_parse(token.data, in, whose, &out) != TOKEN_GOOD || out != number ||
        token_parse_pos(token.data, in, whose, 6, &pos) == TOKEN_GOOD ||
        token_parse_pos(token.data, in, whose + 1, 5, &pos) == TOKEN_GOOD)
        abort();
    token.data[at % token.len] = other;
    (void)token_parse_pos(token.data, in, whose, 5, &pos);
    text_clear(&token);
    token_add_openid(&token, in, number);
    if (!token_parse_openid(token.data, in, &out) || out != number || token_parse_cursor(token.data, in, 0, &out))
        abort();
    text_finish(&token);
}

static void check_sealed(user_no whose, int64_t number, size_t at, char other)
{
    struct text token = TEXT_INIT;
    int64_t out = -1;
    token_add_cursor(&token, in, whose, number);
    if (!token_parse_cursor(token.data, in, whose, &out) || out != number ||
        token_parse(token.data, in, whose, &out) == TOKEN_GOOD)
        abort();
    text_clear(&token);
    token_add(&token, in, whose, number);
    if (token_parse(token.data, in, whose, &out) != TOKEN_GOOD || out != number ||
        token_parse(token.data, in, whose + 1, &out) != TOKEN_NONE || token_parse_cursor(token.data, in, whose, &out))
        abort();
    at %= token.len;
    bool same = token.data[at] == other || at == 30; /* four bits of the last digit say nothing */
    token.data[at] = other;
    if (!same && token_parse(token.data, in, whose, &out) == TOKEN_GOOD)
        abort();
    text_finish(&token);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    user_no whose;
    int64_t number;
    char *text = strndup((const char *)bytes, len);
    check_made_up(text);
    check_hierarchy(text);
    free(text);
    if (len < sizeof whose + sizeof number + 2)
        return 0;
    memcpy(&whose, bytes, sizeof whose);
    memcpy(&number, bytes + sizeof whose, sizeof number);
    check_pos(whose & INT32_MAX, number & INT64_MAX, bytes[len - 2], (char)bytes[len - 1]);
    check_sealed(whose & INT32_MAX, number & INT64_MAX, bytes[len - 2], (char)bytes[len - 1]);
    return 0;
}
