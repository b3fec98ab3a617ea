/* Folders of which each YAML file is one thing: registrations of application services, providers to sign in at. */
#ifndef PARTA_BASE_YAML_FOLDER_H
#define PARTA_BASE_YAML_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "homeserver/base/text.h"

#define YAML_FOLDER_FILES_MAX 64
#define YAML_FILE_BYTES_MAX ((size_t)64 << 10)

/* One file of it. readable: everybody on this machine can read it. false: *problem, and no other file is read. */
typedef bool yaml_file_take(void *arg, const char *path, const struct text *bytes, bool readable, struct text *problem);

/* Reads every *.yaml and *.yml whose name does not begin with a dot, in the order of their names. false: *problem says
 * which it is of. Blocks. */
bool yaml_folder_read(const char *folder, yaml_file_take *take, void *arg, struct text *problem);

#endif
