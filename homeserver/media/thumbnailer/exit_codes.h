/* What parta-thumbnail says by its exit code, to media/thumbnails.c. */
#ifndef PARTA_MEDIA_EXIT_CODES_H
#define PARTA_MEDIA_EXIT_CODES_H

enum thumbnailer_exit {
    THUMBNAILER_MADE = 0,
    THUMBNAILER_FAILED = 1,     /* it could not even begin; also whatever a crash looks like */
    THUMBNAILER_SMALL = 10,     /* the picture is no larger than wished */
    THUMBNAILER_NONE = 11,      /* no picture that can be read */
    THUMBNAILER_TOO_LARGE = 12, /* too many pixels */
};

#endif
