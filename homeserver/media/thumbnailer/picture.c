#include "homeserver/media/thumbnailer/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum picture_outcome picture_plan(int64_t width, int64_t height, const struct picture_wish *wish,
                                  struct picture_plan *out)
{
    if (width <= 0 || height <= 0)
        return PICTURE_NONE;
    if (width > PICTURE_SIDE_MAX || height > PICTURE_SIDE_MAX || width * height > PICTURE_PIXELS_MAX)
        return PICTURE_TOO_LARGE;
    double across = (double)wish->width / (double)width, down = (double)wish->height / (double)height;
    double factor = wish->crop == (across > down) ? across : down;
    if (factor >= 1)
        return PICTURE_SMALL;
    *out = (struct picture_plan){.from_width = (int)width, .from_height = (int)height};
    if (wish->crop) {
        int used_width = (int)lround(wish->width / factor), used_height = (int)lround(wish->height / factor);
        out->from_width = used_width < (int)width ? used_width : (int)width;
        out->from_height = used_height < (int)height ? used_height : (int)height;
        out->x = ((int)width - out->from_width) / 2;
        out->y = ((int)height - out->from_height) / 2;
        out->width = wish->width;
        out->height = wish->height;
        return PICTURE_MADE;
    }
    int to_width = (int)lround((double)width * factor), to_height = (int)lround((double)height * factor);
    out->width = to_width > 0 ? to_width : 1;
    out->height = to_height > 0 ? to_height : 1;
    return PICTURE_MADE;
}

/* --- Averaging --- */

bool scaler_start(struct scaler *s, int from_width, int from_height, int width, int height)
{
    *s = (struct scaler){.from_width = from_width, .from_height = from_height, .width = width, .height = height};
    s->sums = calloc((size_t)(width + 1) * 8, sizeof *s->sums); /* of the row that is made, and of the next */
    s->columns = calloc((size_t)from_width, sizeof *s->columns);
    s->rgba = calloc((size_t)width * (size_t)height, 4);
    if (s->sums == NULL || s->columns == NULL || s->rgba == NULL) {
        scaler_finish(s);
        free(s->rgba);
        s->rgba = NULL;
        return false;
    }
    double step = (double)width / from_width;
    for (int x = 0; x < from_width; ++x) {
        double from = x * step, to = (x + 1) * step;
        int at = (int)from < width ? (int)from : width - 1;
        double first = to > at + 1 ? at + 1 - from : to - from;
        s->columns[x] = (struct scaler_column){at, (float)first, at + 1 < width ? (float)(to - from - first) : 0};
    }
    return true;
}

static unsigned char byte_of(float value)
{
    return value >= 255 ? 255 : value <= 0 ? 0 : (unsigned char)lroundf(value);
}

static void put_row(struct scaler *s)
{
    size_t row = (size_t)(s->width + 1) * 4;
    unsigned char *to = s->rgba + (size_t)s->to_y * (size_t)s->width * 4;
    for (int x = 0; x < s->width; ++x, to += 4) {
        const float *sum = s->sums + (size_t)x * 4;
        float alpha = sum[3];
        for (int c = 0; c < 3; ++c)
            to[c] = alpha > 0 ? byte_of(sum[c] / alpha) : 0;
        to[3] = byte_of(alpha * 255);
    }
    memcpy(s->sums, s->sums + row, row * sizeof *s->sums);
    memset(s->sums + row, 0, row * sizeof *s->sums);
    ++s->to_y;
}

void scaler_row(struct scaler *s, const unsigned char *rgba)
{
    double step = (double)s->height / s->from_height, from = s->y * step, to = (s->y + 1) * step;
    if (s->y >= s->from_height || s->to_y >= s->height)
        return;
    double first = to > s->to_y + 1 ? s->to_y + 1 - from : to - from;
    const float weights[2] = {(float)first, (float)(to - from - first)};
    size_t row = (size_t)(s->width + 1) * 4;
    for (int part = 0; part < 2; ++part) {
        float *sums = s->sums + (size_t)part * row;
        const unsigned char *pixel = rgba;
        if (weights[part] <= 0)
            continue;
        for (int x = 0; x < s->from_width; ++x, pixel += 4) {
            const struct scaler_column *column = &s->columns[x];
            float alpha = (float)pixel[3] * (weights[part] / 255.0f);
            float a = alpha * column->first, b = alpha * column->second;
            float *at = sums + (size_t)column->to * 4;
            at[0] += (float)pixel[0] * a, at[1] += (float)pixel[1] * a, at[2] += (float)pixel[2] * a, at[3] += a;
            at[4] += (float)pixel[0] * b, at[5] += (float)pixel[1] * b, at[6] += (float)pixel[2] * b, at[7] += b;
        }
    }
    ++s->y;
    if (to >= s->to_y + 1 - 1e-6 || s->y == s->from_height)
        put_row(s);
}

void scaler_finish(struct scaler *s)
{
    while (s->rgba != NULL && s->sums != NULL && s->y > 0 && s->y < s->from_height && s->to_y < s->height)
        put_row(s); /* of a file that ends early */
    free(s->sums);
    free(s->columns);
    s->sums = NULL;
    s->columns = NULL;
}

/* --- The whole --- */

static bool starts(const unsigned char *bytes, size_t len, const char *magic, size_t n)
{
    return len >= n && memcmp(bytes, magic, n) == 0;
}

static picture_decoder *decoder_of(const unsigned char *bytes, size_t len)
{
    if (starts(bytes, len, "\xff\xd8\xff", 3))
        return picture_jpeg;
#ifdef HAVE_SPNG
    if (starts(bytes, len, "\x89PNG\r\n\x1a\n", 8))
        return picture_png;
#endif
#ifdef HAVE_GIF
    if (starts(bytes, len, "GIF87a", 6) || starts(bytes, len, "GIF89a", 6))
        return picture_gif;
#endif
#ifdef HAVE_WEBP
    if (starts(bytes, len, "RIFF", 4) && len >= 12 && memcmp(bytes + 8, "WEBP", 4) == 0)
        return picture_webp;
#endif
    return NULL;
}

enum picture_outcome picture_make(const unsigned char *bytes, size_t len, const struct picture_wish *wish,
                                  struct picture *out)
{
    picture_decoder *decode = decoder_of(bytes, len);
    *out = (struct picture){0};
    enum picture_outcome outcome = decode != NULL ? decode(bytes, len, wish, out) : PICTURE_NONE;
    if (outcome != PICTURE_MADE) {
        picture_finish(out);
        return outcome;
    }
    out->opaque = true;
    for (size_t i = 0, n = (size_t)out->width * (size_t)out->height; i < n && out->opaque; ++i)
        out->opaque = out->rgba[4 * i + 3] == 255;
    return PICTURE_MADE;
}

void picture_finish(struct picture *picture)
{
    free(picture->rgba);
    free((void *)(uintptr_t)picture->profile);
    *picture = (struct picture){0};
}

/* Where a pixel goes; "EXIF 2.3", Orientation. */
void picture_orient(struct picture *p, int orientation)
{
    if (orientation < 2 || orientation > 8)
        return;
    int width = p->width, height = p->height;
    bool turned = orientation >= 5;
    int new_width = turned ? height : width;
    unsigned char *to = malloc((size_t)width * (size_t)height * 4);
    if (to == NULL)
        return;
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x) {
            int nx = turned ? y : x, ny = turned ? x : y;
            if (orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7)
                nx = (turned ? height : width) - 1 - nx;
            if (orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8)
                ny = (turned ? width : height) - 1 - ny;
            memcpy(to + ((size_t)ny * (size_t)new_width + (size_t)nx) * 4,
                   p->rgba + ((size_t)y * (size_t)width + (size_t)x) * 4, 4);
        }
    free(p->rgba);
    p->rgba = to;
    p->width = new_width;
    p->height = turned ? width : height;
}
