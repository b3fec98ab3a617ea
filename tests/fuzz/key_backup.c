/* Bodies of key backups and of dehydrated devices: what is read may not crash or leak, and whoever is refused is told
 * why. Nothing is kept: the writer's place is taken by one that runs no job. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "homeserver/base/crypto.h"
#include "homeserver/base/json.h"
#include "homeserver/base/log.h"
#include "homeserver/keys/backup.h"
#include "homeserver/keys/dehydrated.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/schema.h"
#include "homeserver/store/driver/writer.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
bool no_writer_run(struct writer *writer, writer_job *job, void *arg, struct error *e) __asm__("__wrap_writer_run");

static struct db *db;
static int kept;

bool no_writer_run(struct writer *writer, writer_job *job, void *arg, struct error *e)
{
    (void)writer, (void)job, (void)arg, (void)e;
    ++kept;
    return true;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    log_set_level(LOG_ERROR);
    db = crypto_start() ? db_open(":memory:", DB_WRITE, NULL) : NULL;
    if (db == NULL || !schema_migrate(db))
        abort();
    return 0;
}

/* done: the writer was asked; or there is a reason why not. */
static void check(bool done, struct error *e)
{
    if (done != (kept == 1) || done == (e->code != ERROR_NONE))
        abort();
    kept = 0;
    *e = (struct error){0};
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const struct keys_caller CALLER = {.user = 1, .user_id = "@a:b.example"};
    struct error e = {0};
    struct backup_state state;
    int64_t version;
    json_t *body = json_parse((const char *)bytes, len, &e);
    if (json_is_object(body)) {
        const json_t *rooms = json_get_object(body, "rooms");
        check(backup_make(&CALLER, body, &version, &e), &e);
        check(backup_set(&CALLER, "1", body, &e), &e);
        if (rooms != NULL)
            check(backup_put_keys(&CALLER, "1", rooms, &state, &e), &e);
        check(dehydrated_put(&CALLER, db, body, &e), &e);
    }
    json_decref(body);
    return 0;
}
