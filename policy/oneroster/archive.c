#include "policy/oneroster/archive.h"

#include <string.h>
#include <strings.h>

#include "homeserver/base/log.h"

#define PIECE_BYTES 65536

bool archive_refuse(struct roster_problems *problems, zip_error_t *error)
{
    roster_problems_say(problems, PROBLEM_REFUSED, "", "not a zip archive that can be read: %s",
                        zip_error_strerror(error));
    zip_error_fini(error);
    return false;
}

zip_t *archive_open(const void *bytes, size_t len, struct roster_problems *problems)
{
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(bytes, len, 0, &error);
    zip_t *zip = source != NULL ? zip_open_from_source(source, ZIP_RDONLY, &error) : NULL;
    if (zip == NULL) {
        zip_source_free(source);
        archive_refuse(problems, &error);
    }
    return zip;
}

/* --- Files by number --- */

int64_t archive_count(const struct archive_files *files)
{
    return files->zip != NULL ? zip_get_num_entries(files->zip, 0) : (int64_t)files->n;
}

const char *archive_name(const struct archive_files *files, int64_t index)
{
    return files->zip != NULL ? zip_get_name(files->zip, (zip_uint64_t)index, 0) : files->parts[index].name;
}

int64_t archive_find(const struct archive_files *files, const char *name, bool any_case)
{
    if (files->zip != NULL)
        return zip_name_locate(files->zip, name, any_case ? ZIP_FL_NOCASE : 0);
    for (size_t i = 0; i < files->n; ++i)
        if ((any_case ? strcasecmp : strcmp)(files->parts[i].name, name) == 0)
            return (int64_t)i;
    return -1;
}

/* --- Unpacking --- */

static bool check_size(struct unpacking *unpacking, const char *file, uint64_t packed, int64_t of_file, int64_t piece,
                       struct roster_problems *problems)
{
    bool bomb = of_file > (1 << 20) && (uint64_t)of_file / ROSTER_PACKING_MAX > packed;
    unpacking->bytes += piece;
    unpacking->stopped = bomb || unpacking->bytes > ROSTER_BYTES_MAX;
    if (bomb)
        roster_problems_say(problems, PROBLEM_REFUSED, file, "is packed more than %d times", ROSTER_PACKING_MAX);
    else if (unpacking->stopped)
        roster_problems_say(problems, PROBLEM_REFUSED, file, "the files unpack to more than %lld MiB",
                            (long long)(ROSTER_BYTES_MAX >> 20));
    return !unpacking->stopped;
}

static bool unpack_zipped(zip_t *zip, zip_uint64_t index, const char *file, struct unpacking *unpacking,
                          archive_piece_fn *fn, void *self, struct roster_problems *problems)
{
    char piece[PIECE_BYTES];
    zip_stat_t stat;
    zip_int64_t n = 0, of_file = 0;
    bool known = zip_stat_index(zip, index, 0, &stat) == 0, good = true;
    bool encrypted = known && (stat.valid & ZIP_STAT_ENCRYPTION_METHOD) && stat.encryption_method != ZIP_EM_NONE;
    zip_file_t *in = known && !encrypted ? zip_fopen_index(zip, index, 0) : NULL;
    if (in == NULL) {
        if (encrypted)
            roster_problems_say(problems, PROBLEM_REFUSED, file, "is encrypted");
        else
            roster_problems_say(problems, PROBLEM_REFUSED, file, "cannot be unpacked: %s", zip_strerror(zip));
        return false;
    }
    while (good && (n = zip_fread(in, piece, sizeof piece)) > 0) {
        of_file += n;
        good = check_size(unpacking, file, stat.comp_size, of_file, n, problems) && fn(self, piece, (size_t)n);
    }
    if (n < 0)
        roster_problems_say(problems, PROBLEM_REFUSED, file, "damaged: %s", zip_file_strerror(in));
    zip_fclose(in);
    return good && n == 0;
}

bool archive_unpack(const struct archive_files *files, int64_t index, const char *file, struct unpacking *unpacking,
                    archive_piece_fn *fn, void *self, struct roster_problems *problems)
{
    if (files->zip != NULL)
        return unpack_zipped(files->zip, (zip_uint64_t)index, file, unpacking, fn, self, problems);
    const struct text *bytes = files->parts[index].bytes;
    return check_size(unpacking, file, bytes->len, (int64_t)bytes->len, (int64_t)bytes->len, problems) &&
           (bytes->len == 0 || fn(self, bytes->data, bytes->len));
}

/* --- Packing --- */

static bool pack_file(zip_t *zip, const struct archive_part *part, int level)
{
    const char *bytes = part->bytes->data != NULL ? part->bytes->data : "";
    zip_source_t *source = zip_source_buffer(zip, bytes, part->bytes->len, 0);
    zip_int64_t index = source != NULL ? zip_file_add(zip, part->name, source, ZIP_FL_ENC_UTF_8) : -1;
    if (index < 0) {
        zip_source_free(source);
        return false;
    }
    return zip_set_file_compression(zip, (zip_uint64_t)index, ZIP_CM_DEFLATE, (zip_uint32_t)level) == 0 &&
           zip_file_set_dostime(zip, (zip_uint64_t)index, 0, 0x21, 0) == 0; /* 1980: the same rows, the same bytes */
}

static bool take_bytes(zip_source_t *sink, struct text *out)
{
    zip_stat_t stat;
    if (zip_source_stat(sink, &stat) != 0 || zip_source_open(sink) != 0)
        return false;
    text_reserve(out, stat.size);
    zip_int64_t n = zip_source_read(sink, out->data + out->len, stat.size);
    zip_source_close(sink);
    if (n != (zip_int64_t)stat.size)
        return false;
    out->len += (size_t)n;
    out->data[out->len] = '\0';
    return true;
}

bool archive_pack(const struct archive_part *parts, size_t n, int level, struct text *out)
{
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *sink = zip_source_buffer_create(NULL, 0, 0, &error);
    zip_t *zip = NULL;
    if (sink != NULL) {
        zip_source_keep(sink);
        zip = zip_open_from_source(sink, ZIP_TRUNCATE, &error);
    }
    bool good = zip != NULL;
    for (size_t i = 0; good && i < n; ++i)
        good = pack_file(zip, &parts[i], level);
    if (good)
        good = zip_close(zip) == 0 && take_bytes(sink, out);
    else if (zip != NULL)
        zip_discard(zip);
    if (!good)
        log_error("roster", "an archive can't be packed: %s", zip_error_strerror(&error));
    zip_source_free(sink);
    zip_error_fini(&error);
    return good;
}
