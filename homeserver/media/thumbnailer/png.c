#include <stdlib.h>

#include <spng.h>

#include "homeserver/media/thumbnailer/picture.h"

#define CHUNK_MAX (4u << 20)
#define CHUNKS_MAX (16u << 20)

/* Rows that come from the top. */
static bool read_rows(spng_ctx *ctx, const struct spng_ihdr *header, const struct picture_plan *plan,
                      struct scaler *scaler)
{
    size_t width = (size_t)header->width * 4;
    unsigned char *row = malloc(width);
    int y = 0, error = row != NULL ? 0 : SPNG_EMEM;
    if (error == 0)
        error = spng_decode_image(ctx, NULL, 0, SPNG_FMT_RGBA8, SPNG_DECODE_TRNS | SPNG_DECODE_PROGRESSIVE);
    for (; error == 0; ++y) {
        error = spng_decode_row(ctx, row, width);
        if ((error == 0 || error == SPNG_EOI) && y >= plan->y && y < plan->y + plan->from_height)
            scaler_row(scaler, row + (size_t)plan->x * 4);
    }
    free(row);
    return error == SPNG_EOI;
}

static bool read_whole(spng_ctx *ctx, const struct spng_ihdr *header, const struct picture_plan *plan,
                       struct scaler *scaler)
{
    size_t width = (size_t)header->width * 4, size = width * header->height;
    unsigned char *all = malloc(size);
    bool done = all != NULL && spng_decode_image(ctx, all, size, SPNG_FMT_RGBA8, SPNG_DECODE_TRNS) == 0;
    for (int y = plan->y; done && y < plan->y + plan->from_height; ++y)
        scaler_row(scaler, all + (size_t)y * width + (size_t)plan->x * 4);
    free(all);
    return done;
}

static enum picture_outcome read_all(spng_ctx *ctx, const unsigned char *bytes, size_t len,
                                     const struct picture_wish *wish, struct scaler *scaler)
{
    struct spng_ihdr header;
    struct picture_plan plan;
    spng_set_crc_action(ctx, SPNG_CRC_USE, SPNG_CRC_USE);
    spng_set_chunk_limits(ctx, CHUNK_MAX, CHUNKS_MAX);
    if (spng_set_png_buffer(ctx, bytes, len) != 0 || spng_get_ihdr(ctx, &header) != 0)
        return PICTURE_NONE;
    enum picture_outcome outcome = picture_plan(header.width, header.height, wish, &plan);
    if (outcome != PICTURE_MADE)
        return outcome;
    bool whole = header.interlace_method != 0;
    if (whole && (int64_t)header.width * header.height > PICTURE_WHOLE_PIXELS)
        return PICTURE_TOO_LARGE;
    return scaler_start(scaler, plan.from_width, plan.from_height, plan.width, plan.height) &&
                   (whole ? read_whole : read_rows)(ctx, &header, &plan, scaler)
               ? PICTURE_MADE
               : PICTURE_NONE;
}

enum picture_outcome picture_png(const unsigned char *bytes, size_t len, const struct picture_wish *wish,
                                 struct picture *out)
{
    struct scaler scaler = {0};
    spng_ctx *ctx = spng_ctx_new(0);
    enum picture_outcome outcome = ctx != NULL ? read_all(ctx, bytes, len, wish, &scaler) : PICTURE_NONE;
    spng_ctx_free(ctx);
    scaler_finish(&scaler);
    if (outcome == PICTURE_MADE)
        *out = (struct picture){scaler.width, scaler.height, scaler.rgba};
    else
        free(scaler.rgba);
    return outcome;
}
