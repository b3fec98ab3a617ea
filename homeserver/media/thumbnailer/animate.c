#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "homeserver/media/thumbnailer/picture.h"

#define CONTROL_AT 33 /* where acTL stands: behind the signature and IHDR */
#define DELAY_MIN_MS 20
#define DELAY_MAX_MS 60000

/* acTL: how many frames; played for ever. */
static bool write_control(const struct animation *a)
{
    unsigned char control[8] = {0};
    png_number(control, a->frames);
    return png_chunk(a->fd, "acTL", control, sizeof control);
}

enum picture_outcome animation_begin(struct animation *a, int fd, int width, int height,
                                     const struct picture_wish *wish)
{
    const struct picture_wish scaled = {wish->width, wish->height, false};
    *a = (struct animation){.fd = fd, .from_width = width};
    enum picture_outcome outcome = picture_plan(width, height, &scaled, &a->plan);
    if (outcome == PICTURE_MADE && (int64_t)width * height > PICTURE_WHOLE_PIXELS)
        return PICTURE_TOO_LARGE;
    if (outcome != PICTURE_MADE)
        return outcome;
    return png_begin(fd, a->plan.width, a->plan.height) && write_control(a) ? PICTURE_MADE : PICTURE_NONE;
}

/* fcTL: the whole picture, in place of what was there. */
static bool write_frame_control(struct animation *a, int delay_ms)
{
    unsigned char control[26] = {0};
    int delay = delay_ms < DELAY_MIN_MS ? 100 : delay_ms < DELAY_MAX_MS ? delay_ms : DELAY_MAX_MS; /* as browsers do */
    png_number(control, a->chunks++);
    png_number(control + 4, (size_t)a->plan.width);
    png_number(control + 8, (size_t)a->plan.height);
    control[20] = (unsigned char)(delay >> 8);
    control[21] = (unsigned char)delay;
    control[22] = 1000 >> 8;
    control[23] = 1000 & 0xff;
    return png_chunk(a->fd, "fcTL", control, sizeof control);
}

/* IDAT of the first frame, fdAT with a number before the same of others. */
static bool write_pixels(struct animation *a, const struct picture *picture)
{
    size_t len, head = a->frames == 0 ? 0 : 4;
    unsigned char *rows = png_rows(picture, &len);
    uLongf packed_len = compressBound(len);
    unsigned char *packed = malloc(packed_len + 4);
    bool done = rows != NULL && packed != NULL && compress2(packed + head, &packed_len, rows, len, 6) == Z_OK;
    if (done && head != 0)
        png_number(packed, a->chunks++);
    done = done && png_chunk(a->fd, head == 0 ? "IDAT" : "fdAT", packed, packed_len + head);
    a->bytes += (int64_t)packed_len;
    free(rows);
    free(packed);
    return done;
}

enum picture_outcome animation_add(struct animation *a, const unsigned char *rgba, int delay_ms)
{
    struct scaler scaler;
    const struct picture_plan *plan = &a->plan;
    a->pixels += (int64_t)plan->from_width * plan->from_height;
    if (a->frames == ANIMATION_FRAMES_MAX || a->pixels > ANIMATION_PIXELS_MAX || a->bytes > ANIMATION_BYTES_MAX)
        return PICTURE_TOO_LARGE;
    if (!scaler_start(&scaler, plan->from_width, plan->from_height, plan->width, plan->height))
        return PICTURE_NONE;
    for (int y = 0; y < plan->from_height; ++y)
        scaler_row(&scaler, rgba + (size_t)y * (size_t)a->from_width * 4);
    scaler_finish(&scaler);
    struct picture picture = {.width = scaler.width, .height = scaler.height, .rgba = scaler.rgba};
    bool done = write_frame_control(a, delay_ms) && write_pixels(a, &picture);
    ++a->frames;
    picture_finish(&picture);
    return done ? PICTURE_MADE : PICTURE_NONE;
}

enum picture_outcome animation_end(struct animation *a)
{
    if (a->frames < 2)
        return PICTURE_NONE;
    bool done = png_chunk(a->fd, "IEND", NULL, 0) && lseek(a->fd, CONTROL_AT, SEEK_SET) >= 0 && write_control(a);
    return done ? PICTURE_MADE : PICTURE_NONE;
}

enum picture_outcome picture_animate(const unsigned char *bytes, size_t len, const struct picture_wish *wish, int fd)
{
#ifdef HAVE_GIF
    if (len > 6 && memcmp(bytes, "GIF89a", 6) == 0)
        return animation_gif(bytes, len, wish, fd);
#endif
#ifdef HAVE_WEBP
    if (len >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0)
        return animation_webp(bytes, len, wish, fd);
#endif
    return PICTURE_NONE;
}
