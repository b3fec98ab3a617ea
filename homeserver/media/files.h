/* The content of media on disk: each content once, in a file that is called by its hash (SHA-256, hexadecimal, in 256
 * folders by its first two digits). Files never change.
 *
 * A body arrives in a file without a name in the same file system (http/uploads.h), which is given its name here, not
 * copied. It and its folder are synced before anybody is told: what was answered is there after a crash. The row that
 * names the content (store/matrix/media.h) comes after the file, and goes before it, so that a crash leaves at most a
 * file that no row names; media_files_sweep finds those.
 *
 * Between the file and its row the content is held: nobody removes it then. Any thread; everything blocks (disk). */
#ifndef PARTA_MEDIA_FILES_H
#define PARTA_MEDIA_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/base/crypto.h"

struct media_files;

/* Opens the folder dir, and makes what is missing of it: DIR/content, DIR/incoming, DIR/thumbnails. NULL: logged. */
struct media_files *media_files_open(const char *dir);
void media_files_close(struct media_files *files); /* NULL is accepted */

/* Where bodies arrive: for http_settings.spool_dir. Borrowed. */
const char *media_files_incoming(const struct media_files *files);

/* Keeps the content: of the nameless file fd (from its beginning to its end), or, fd −1, len bytes. *bytes: how many
 * there are. It is held until media_files_release, also when there was such a content before. false: the disk (logged);
 * nothing is held then. */
bool media_files_keep(struct media_files *files, int fd, const char *content, size_t len,
                      unsigned char hash[SHA256_BYTES], int64_t *bytes);
void media_files_release(struct media_files *files, const unsigned char hash[SHA256_BYTES]);

/* The content to read; the caller closes it. −1: it is not there (logged). *bytes: its size. */
int media_files_read(const struct media_files *files, const unsigned char hash[SHA256_BYTES], int64_t *bytes);

/* A thumbnail of the content (media/thumbnails.h), named by its size; the caller closes it. −1: there is none. */
int media_files_thumbnail(const struct media_files *files, const unsigned char hash[SHA256_BYTES], int width,
                          int height, char how, int64_t *bytes);
int media_files_nameless(const struct media_files *files); /* an empty file to make one in; −1: the disk (logged) */
/* Names that file so; not synced: what a crash takes of it is made again. false: logged. */
bool media_files_name_thumbnail(const struct media_files *files, int fd, const unsigned char hash[SHA256_BYTES],
                                int width, int height, char how);

/* Removes the content and what was made of it, unless it is held or needed(arg, hash) says that a row names it. needed
 * is asked while nobody can begin to keep it. false: the disk. */
typedef bool media_needed(void *arg, const unsigned char hash[SHA256_BYTES]);
bool media_files_remove(struct media_files *files, const unsigned char hash[SHA256_BYTES], media_needed *needed,
                        void *arg);

/* Looks at every file, removes those that are not needed, and whatever else lies there; *stop ends it. Answers how many
 * files it removed. */
int64_t media_files_sweep(struct media_files *files, media_needed *needed, void *arg, const _Atomic bool *stop);

/* Of the whole file fd; to ≥ 0: its bytes are appended there, too. false, errno: it can't be read, or not be written.
 * Blocks. */
bool media_files_hash(int fd, int to, unsigned char hash[SHA256_BYTES], int64_t *bytes);

/* The hash as the file's name: 64 digits and a NUL. */
#define MEDIA_HASH_TEXT 65
void media_hash_text(const unsigned char hash[SHA256_BYTES], char out[MEDIA_HASH_TEXT]);

#endif
