/* A picture made smaller: what the thumbnailer does, apart from the process that it does it in (main.c).
 *
 * Whoever calls has the whole file in memory and trusts nothing of it. Decoders give rows from the top, which are
 * averaged by area as they come, so that memory goes with what comes out, not with what the file claims to be; where a
 * format cannot give rows in order (interlaced, animated) a picture has at most PICTURE_WHOLE_PIXELS. */
#ifndef PARTA_MEDIA_PICTURE_H
#define PARTA_MEDIA_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PICTURE_PIXELS_MAX (INT64_C(220) << 20)  /* a camera of 200 megapixels; more: PICTURE_TOO_LARGE */
#define PICTURE_WHOLE_PIXELS (INT64_C(24) << 20) /* of one that is decoded whole */
#define PICTURE_SIDE_MAX 65500

enum picture_outcome {
    PICTURE_MADE,
    PICTURE_SMALL,     /* it is no larger than wished: the original will do */
    PICTURE_NONE,      /* no picture that can be read */
    PICTURE_TOO_LARGE, /* more pixels than anybody looks at */
};

struct picture_wish {
    int width, height;
    bool crop; /* exactly so large, what is beyond cut off on both sides; false: as large as fits into it */
};

struct picture {
    int width, height;
    unsigned char *rgba; /* heap; not premultiplied */
    bool opaque;
    const unsigned char *profile; /* ICC, heap; NULL: sRGB is supposed */
    unsigned profile_len;
};

/* What comes of a picture of width × height: the part of it that is used, and how large that becomes. */
struct picture_plan {
    int x, y, from_width, from_height;
    int width, height;
};
enum picture_outcome picture_plan(int64_t width, int64_t height, const struct picture_wish *wish,
                                  struct picture_plan *out);

/* Averages rows of from_width × from_height pixels down to width × height. */
struct scaler {
    int from_width, from_height, width, height;
    int y;    /* the next row that comes */
    int to_y; /* the row that is being made */
    float *sums;
    struct scaler_column {
        int to;
        float first, second; /* weights in to and in to + 1 */
    } * columns;
    unsigned char *rgba; /* what is made; the caller takes it */
};
/* false: no memory; nothing is to be freed then. */
bool scaler_start(struct scaler *scaler, int from_width, int from_height, int width, int height);
void scaler_row(struct scaler *scaler, const unsigned char *rgba); /* of from_width pixels */
void scaler_finish(struct scaler *scaler);                         /* frees all but rgba */

/* Makes out of the file: which decoder, its first bytes say. *out is filled in with PICTURE_MADE. */
enum picture_outcome picture_make(const unsigned char *bytes, size_t len, const struct picture_wish *wish,
                                  struct picture *out);
void picture_finish(struct picture *picture);

/* Turns it as EXIF says (1 … 8). */
void picture_orient(struct picture *picture, int orientation);

/* Writes it to fd: JPEG if nothing of it is transparent, else PNG. */
bool picture_write(const struct picture *picture, int fd);
bool picture_write_jpeg(const struct picture *picture, unsigned char **bytes, size_t *len); /* bytes: heap */

/* --- Pictures that move --- */

#define ANIMATION_FRAMES_MAX 300
#define ANIMATION_PIXELS_MAX (INT64_C(128) << 20) /* of all frames of the original together */
#define ANIMATION_BYTES_MAX (6 << 20)             /* of what is written */

/* An animated PNG (APNG 1.0) that is being written, of frames of the original's size, each made smaller. */
struct animation {
    int fd;
    struct picture_plan plan;
    int from_width;
    unsigned frames, chunks;
    int64_t pixels, bytes;
};

/* Writes what moves of the file to fd, as animated PNG. PICTURE_NONE: it does not move. PICTURE_TOO_LARGE: it is larger
 * or longer than those bounds. fd then holds nothing that is good. */
enum picture_outcome picture_animate(const unsigned char *bytes, size_t len, const struct picture_wish *wish, int fd);

/* For decoders. rgba: a whole frame, shown for so long. */
enum picture_outcome animation_begin(struct animation *a, int fd, int width, int height,
                                     const struct picture_wish *wish);
enum picture_outcome animation_add(struct animation *a, const unsigned char *rgba, int delay_ms);
enum picture_outcome animation_end(struct animation *a);

typedef enum picture_outcome animation_decoder(const unsigned char *bytes, size_t len, const struct picture_wish *wish,
                                               int fd);
animation_decoder animation_gif, animation_webp;

/* PNG, "Chunk layout"; rows as filter type "Sub" has them: heap. */
bool png_chunk(int fd, const char *type, const unsigned char *data, size_t len);
unsigned char *png_rows(const struct picture *picture, size_t *len);
void png_number(unsigned char *at, size_t n);
bool png_begin(int fd, int width, int height); /* up to IHDR, in RGBA of 8 bits */

/* The decoders. */
typedef enum picture_outcome picture_decoder(const unsigned char *bytes, size_t len, const struct picture_wish *wish,
                                             struct picture *out);
picture_decoder picture_jpeg, picture_png, picture_webp, picture_gif;

#endif
