#include <stdlib.h>
#include <string.h>

#include <gif_lib.h>

#include "homeserver/media/thumbnailer/picture.h"

struct source {
    const unsigned char *at;
    size_t left;
};

static int read_source(GifFileType *gif, GifByteType *to, int n)
{
    struct source *source = gif->UserData;
    size_t take = n > 0 && (size_t)n < source->left ? (size_t)n : n > 0 ? source->left : 0;
    memcpy(to, source->at, take);
    source->at += take;
    source->left -= take;
    return (int)take;
}

/* Goes to the next frame; *control: what is said of it. */
static bool find_frame(GifFileType *gif, GraphicsControlBlock *control)
{
    GifRecordType type;
    GifByteType *block;
    int code;
    *control = (GraphicsControlBlock){.TransparentColor = NO_TRANSPARENT_COLOR};
    while (DGifGetRecordType(gif, &type) == GIF_OK && type != TERMINATE_RECORD_TYPE) {
        if (type == IMAGE_DESC_RECORD_TYPE)
            return DGifGetImageDesc(gif) == GIF_OK;
        if (type != EXTENSION_RECORD_TYPE || DGifGetExtension(gif, &code, &block) != GIF_OK)
            return false;
        if (code == GRAPHICS_EXT_FUNC_CODE && block != NULL)
            DGifExtensionToGCB(block[0], block + 1, control);
        while (block != NULL)
            if (DGifGetExtensionNext(gif, &block) != GIF_OK)
                return false;
    }
    return false;
}

static bool read_lines(GifFileType *gif, unsigned char *pixels)
{
    static const int FROM[] = {0, 4, 2, 1}, STEP[] = {8, 8, 4, 2};
    int width = gif->Image.Width, height = gif->Image.Height;
    bool done = true;
    for (int pass = 0; pass < (gif->Image.Interlace ? 4 : 1); ++pass)
        for (int y = gif->Image.Interlace ? FROM[pass] : 0; done && y < height;
             y += gif->Image.Interlace ? STEP[pass] : 1)
            done = DGifGetLine(gif, pixels + (size_t)y * (size_t)width, width) == GIF_OK;
    return done;
}

static void colour_row(const GifFileType *gif, const unsigned char *pixels, int transparent, unsigned char *rgba)
{
    const ColorMapObject *map = gif->Image.ColorMap != NULL ? gif->Image.ColorMap : gif->SColorMap;
    for (int x = 0; x < gif->Image.Width; ++x, rgba += 4) {
        int colour = pixels[x];
        memset(rgba, 0, 4);
        if (colour == transparent || map == NULL || colour >= map->ColorCount)
            continue;
        rgba[0] = map->Colors[colour].Red;
        rgba[1] = map->Colors[colour].Green;
        rgba[2] = map->Colors[colour].Blue;
        rgba[3] = 255;
    }
}

/* The frame alone: a first one is nearly always as large as the whole. */
static enum picture_outcome read_frame(GifFileType *gif, const struct picture_wish *wish, struct scaler *scaler)
{
    GraphicsControlBlock control;
    struct picture_plan plan;
    if (!find_frame(gif, &control))
        return PICTURE_NONE;
    int width = gif->Image.Width, height = gif->Image.Height;
    enum picture_outcome outcome = picture_plan(width, height, wish, &plan);
    if (outcome == PICTURE_MADE && (int64_t)width * height > PICTURE_WHOLE_PIXELS)
        outcome = PICTURE_TOO_LARGE;
    if (outcome != PICTURE_MADE)
        return outcome;
    unsigned char *pixels = calloc((size_t)width, (size_t)height), *row = malloc((size_t)width * 4);
    bool done = pixels != NULL && row != NULL && read_lines(gif, pixels) &&
                scaler_start(scaler, plan.from_width, plan.from_height, plan.width, plan.height);
    for (int y = plan.y; done && y < plan.y + plan.from_height; ++y) {
        colour_row(gif, pixels + (size_t)y * (size_t)width, control.TransparentColor, row);
        scaler_row(scaler, row + (size_t)plan.x * 4);
    }
    free(pixels);
    free(row);
    return done ? PICTURE_MADE : PICTURE_NONE;
}

enum picture_outcome picture_gif(const unsigned char *bytes, size_t len, const struct picture_wish *wish,
                                 struct picture *out)
{
    struct source source = {bytes, len};
    struct scaler scaler = {0};
    GifFileType *gif = DGifOpen(&source, read_source, NULL);
    enum picture_outcome outcome = gif != NULL ? read_frame(gif, wish, &scaler) : PICTURE_NONE;
    if (gif != NULL)
        DGifCloseFile(gif, NULL);
    scaler_finish(&scaler);
    if (outcome == PICTURE_MADE)
        *out = (struct picture){scaler.width, scaler.height, scaler.rgba};
    else
        free(scaler.rgba);
    return outcome;
}

/* --- Moving --- */

/* What is shown, and what was before the frame. */
struct canvas {
    int width, height;
    unsigned char *rgba, *before, *row, *pixels;
};

/* Draws the frame over what is there, as far as it lies within the picture. */
static bool draw(GifFileType *gif, struct canvas *c, int transparent)
{
    int width = gif->Image.Width, height = gif->Image.Height, left = gif->Image.Left, top = gif->Image.Top;
    if (width <= 0 || height <= 0 || width > c->width || height > c->height || !read_lines(gif, c->pixels))
        return false;
    for (int y = 0; y < height; ++y) {
        int to = top + y;
        if (to < 0 || to >= c->height)
            continue;
        colour_row(gif, c->pixels + (size_t)y * (size_t)width, transparent, c->row);
        for (int x = 0; x < width; ++x)
            if (left + x >= 0 && left + x < c->width && c->row[4 * x + 3] != 0)
                memcpy(c->rgba + ((size_t)to * (size_t)c->width + (size_t)(left + x)) * 4, c->row + 4 * x, 4);
    }
    return true;
}

/* What becomes of the frame before the next one. */
static void dispose(const GifFileType *gif, struct canvas *c, int mode)
{
    size_t all = (size_t)c->width * (size_t)c->height * 4;
    if (mode == DISPOSE_PREVIOUS)
        memcpy(c->rgba, c->before, all);
    for (int y = gif->Image.Top; mode == DISPOSE_BACKGROUND && y < gif->Image.Top + gif->Image.Height; ++y)
        for (int x = gif->Image.Left; x < gif->Image.Left + gif->Image.Width; ++x)
            if (x >= 0 && x < c->width && y >= 0 && y < c->height)
                memset(c->rgba + ((size_t)y * (size_t)c->width + (size_t)x) * 4, 0, 4);
}

static enum picture_outcome play(GifFileType *gif, struct canvas *c, struct animation *animation)
{
    GraphicsControlBlock control;
    enum picture_outcome outcome = PICTURE_MADE;
    while (outcome == PICTURE_MADE && find_frame(gif, &control)) {
        if (control.DisposalMode == DISPOSE_PREVIOUS)
            memcpy(c->before, c->rgba, (size_t)c->width * (size_t)c->height * 4);
        if (!draw(gif, c, control.TransparentColor))
            break;
        outcome = animation_add(animation, c->rgba, control.DelayTime * 10);
        dispose(gif, c, control.DisposalMode);
    }
    return outcome == PICTURE_MADE ? animation_end(animation) : outcome;
}

enum picture_outcome animation_gif(const unsigned char *bytes, size_t len, const struct picture_wish *wish, int fd)
{
    struct source source = {bytes, len};
    struct animation animation;
    GifFileType *gif = DGifOpen(&source, read_source, NULL);
    struct canvas c = {.width = gif != NULL ? gif->SWidth : 0, .height = gif != NULL ? gif->SHeight : 0};
    enum picture_outcome outcome =
        gif != NULL ? animation_begin(&animation, fd, c.width, c.height, wish) : PICTURE_NONE;
    if (outcome == PICTURE_MADE) {
        size_t all = (size_t)c.width * (size_t)c.height;
        c.rgba = calloc(all, 4);
        c.before = calloc(all, 4);
        c.pixels = calloc(all, 1);
        c.row = calloc((size_t)c.width, 4);
        bool room = c.rgba != NULL && c.before != NULL && c.pixels != NULL && c.row != NULL;
        outcome = room ? play(gif, &c, &animation) : PICTURE_TOO_LARGE;
    }
    free(c.rgba);
    free(c.before);
    free(c.pixels);
    free(c.row);
    if (gif != NULL)
        DGifCloseFile(gif, NULL);
    return outcome;
}
