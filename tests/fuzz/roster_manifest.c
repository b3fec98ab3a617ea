/* The manifest, and names of files: the first line is the name of one more file, the rest stands as manifest.csv of an
 * export without rows, whole or merged into one. Nothing may crash or leak, and no file is read
 * that it does not name. */
#include "tests/fuzz/roster_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Each file of WHOLE with its header alone. */
static void add_headers(struct roster_files *files)
{
    for (size_t i = 1; i < WHOLE_COUNT; ++i)
        add_file(files, WHOLE[i].name, WHOLE[i].text, strcspn(WHOLE[i].text, "\n") + 1);
}

static void read(const struct archive_files *from, const struct snapshot *base)
{
    struct roster_update update = {0};
    struct roster_problems problems;
    bool good = roster_read_files(from, base, &update, &problems);
    must(!good || (base != NULL) == update.delta || !update.delta);
    finish_update(&update, good, &problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct snapshot *base;
    struct roster_files files = {0};
    char *name = xstrndup((const char *)data, len), *manifest = strchr(name, '\n');
    if (base == NULL)
        base = snapshot_create();
    if (manifest != NULL) {
        *manifest++ = '\0';
        add_file(&files, "manifest.csv", manifest, strlen(manifest));
        add_headers(&files);
        struct archive_files from = files_of(&files);
        from.n -= *name == '-'; /* one less */
        if (*name != '-' && *name != '\0')
            files.parts[from.n - 1].name = name;
        read(&from, *name == '+' ? NULL : base);
    }
    finish_files(&files);
    free(name);
    return 0;
}
