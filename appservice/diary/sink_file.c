#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "appservice/diary/sink.h"
#include "homeserver/base/json.h"
#include "homeserver/base/log.h"
#include "homeserver/base/text.h"

const char *change_what_name(enum change_what what)
{
    static const char *const NAMES[] = {"new", "changed", "withdrawn"};
    return NAMES[what];
}

void notice_txn(const char *source, const char *id, int64_t revision, char out[TXN_BYTES])
{
    unsigned char hash[21];
    struct text all = TEXT_INIT;
    text_addf(&all, "%zu:%s%s:%lld", strlen(source), source, id, (long long)revision);
    crypto_generichash(hash, sizeof hash, (const unsigned char *)all.data, all.len, NULL, 0);
    out[0] = 'd';
    sodium_bin2hex(out + 1, TXN_BYTES - 1, hash, sizeof hash);
    text_finish(&all);
}

/* Like a homeserver it knows the transactions that it has had: of this process and of those before it. */
struct sink_file {
    int fd;
    bool written; /* and not known to be on disk */
    json_t *had;
};

static void take_line(struct sink_file *file, const char *line, size_t len)
{
    struct error e;
    json_t *had = json_parse(line, len, &e);
    const char *txn = json_get_string(had, "txn");
    if (txn != NULL)
        json_object_set_new(file->had, txn, json_true());
    json_decref(had);
}

struct sink_file *sink_file_open(const char *path)
{
    FILE *f = fopen(path, "a+e");
    if (f == NULL) {
        log_error("diary", "%s: %s", path, strerror(errno));
        return NULL;
    }
    struct sink_file *file = xcalloc(1, sizeof *file);
    char *line = NULL;
    size_t cap = 0;
    file->had = json_object();
    rewind(f);
    for (ssize_t len; (len = getline(&line, &cap, f)) > 0;)
        take_line(file, line, (size_t)len);
    free(line);
    file->fd = fcntl(fileno(f), F_DUPFD_CLOEXEC, 0);
    fclose(f);
    return file;
}

void sink_file_close(struct sink_file *file)
{
    if (file == NULL)
        return;
    close(file->fd);
    json_decref(file->had);
    free(file);
}

enum sink_answer sink_file_tell(void *self, const struct notice *notice)
{
    struct sink_file *file = self;
    struct text line = TEXT_INIT;
    if (json_object_get(file->had, notice->txn) != NULL)
        return SINK_TOLD;
    text_addf(&line,
              "{\"txn\":\"%s\",\"what\":\"%s\",\"kind\":\"%s\",\"day\":%d,\"revision\":%lld,\"source\":", notice->txn,
              change_what_name(notice->what), record_kind_name(notice->kind), notice->day, (long long)notice->revision);
    text_add_json(&line, notice->source);
    text_adds(&line, ",\"id\":");
    text_add_json(&line, notice->id);
    text_adds(&line, ",\"class\":");
    if (notice->class_id != NULL)
        text_add_json(&line, notice->class_id);
    else
        text_adds(&line, "null");
    text_adds(&line, ",\"pupils\":[");
    for (size_t i = 0; i < notice->n_pupils; ++i) {
        text_adds(&line, i != 0 ? "," : "");
        text_add_json(&line, notice->pupils[i]);
    }
    text_adds(&line, "]}\n");
    bool written = write(file->fd, line.data, line.len) == (ssize_t)line.len;
    text_finish(&line);
    if (!written)
        return SINK_LATER;
    file->written = true;
    json_object_set_new(file->had, notice->txn, json_true());
    return SINK_BEGUN;
}

enum sink_answer sink_file_finish(void *self, const struct notice *notice)
{
    struct sink_file *file = self;
    (void)notice;
    if (file->written && fdatasync(file->fd) != 0)
        return SINK_IN_DOUBT;
    file->written = false;
    return SINK_TOLD;
}
