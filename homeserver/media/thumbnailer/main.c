/* parta-thumbnail WIDTH HEIGHT c|s|a: reads the picture that is the file on standard input, writes a smaller one
 * to standard output (c: cut to that size, s: as large as fits into it, a: the same, and it moves), and says by its
 * exit code what came of it (media/thumbnails.h). partad starts one for each thumbnail, with nothing but these two
 * files open: a decoder that a picture has turned against us is alone here, in a process that can open, start and ask
 * nothing (confine.h), and takes one thumbnail with it. */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "homeserver/media/thumbnailer/confine.h"
#include "homeserver/media/thumbnailer/exit_codes.h"
#include "homeserver/media/thumbnailer/picture.h"

int main(int argc, char **argv)
{
    static const int CODES[] = {[PICTURE_MADE] = THUMBNAILER_MADE,
                                [PICTURE_SMALL] = THUMBNAILER_SMALL,
                                [PICTURE_NONE] = THUMBNAILER_NONE,
                                [PICTURE_TOO_LARGE] = THUMBNAILER_TOO_LARGE};
    struct stat st;
    struct picture picture;
    if (argc != 4 || fstat(STDIN_FILENO, &st) != 0)
        return THUMBNAILER_FAILED;
    if (st.st_size == 0)
        return THUMBNAILER_NONE;
    const struct picture_wish wish = {atoi(argv[1]), atoi(argv[2]), argv[3][0] == 'c'};
    void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, STDIN_FILENO, 0);
    if (bytes == MAP_FAILED || wish.width <= 0 || wish.height <= 0 || !confine())
        return THUMBNAILER_FAILED;
    if (argv[3][0] == 'a')
        _exit(CODES[picture_animate(bytes, (size_t)st.st_size, &wish, STDOUT_FILENO)]);
    enum picture_outcome outcome = picture_make(bytes, (size_t)st.st_size, &wish, &picture);
    if (outcome == PICTURE_MADE && !picture_write(&picture, STDOUT_FILENO))
        _exit(THUMBNAILER_FAILED);
    _exit(CODES[outcome]);
}
