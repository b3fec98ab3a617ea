#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jpeglib.h>

#include "homeserver/media/thumbnailer/picture.h"

#define MEMORY_MAX (256L << 20) /* a progressive one is kept whole */
#define PROFILE_MAX 32768
#define QUALITY 82
#define WARNINGS_MAX 500

struct failing {
    struct jpeg_error_mgr super;
    jmp_buf out;
};

static void fail(j_common_ptr cinfo)
{
    longjmp(((struct failing *)cinfo->err)->out, 1);
}

static void hear(j_common_ptr cinfo, int level)
{
    if (level < 0 && ++cinfo->err->num_warnings > WARNINGS_MAX)
        fail(cinfo);
}

/* --- EXIF --- */

static unsigned number(const unsigned char *at, int bytes, bool big)
{
    unsigned n = 0;
    for (int i = 0; i < bytes; ++i)
        n |= (unsigned)at[big ? bytes - 1 - i : i] << (8 * i);
    return n;
}

/* Of the first directory of a TIFF header; 1: nothing is said. */
static int orientation_in(const unsigned char *tiff, size_t len)
{
    if (len < 8 || (memcmp(tiff, "II", 2) != 0 && memcmp(tiff, "MM", 2) != 0))
        return 1;
    bool big = tiff[0] == 'M';
    size_t at = number(tiff + 4, 4, big);
    if (at > len || len - at < 2)
        return 1;
    unsigned n = number(tiff + at, 2, big);
    for (at += 2; n > 0 && len - at >= 12; --n, at += 12)
        if (number(tiff + at, 2, big) == 0x112)
            return (int)number(tiff + at + 8, 2, big);
    return 1;
}

/* --- Reading --- */

struct reading {
    struct jpeg_decompress_struct cinfo;
    struct failing failing;
    struct scaler scaler;
    unsigned char *row;
    JOCTET *profile;
    unsigned profile_len;
    int orientation;
};

/* Inverted, as Adobe's programs write it. */
static void from_cmyk(unsigned char *rgba, int n)
{
    for (; n-- > 0; rgba += 4) {
        unsigned black = rgba[3];
        for (int c = 0; c < 3; ++c)
            rgba[c] = (unsigned char)(rgba[c] * black / 255);
        rgba[3] = 255;
    }
}

/* The decoder itself gives fewer pixels, by eighths: no fewer than 1.5 times of what is wanted. */
static void shrink_on_load(struct jpeg_decompress_struct *cinfo, const struct picture_plan *plan)
{
    cinfo->scale_denom = 8;
    for (cinfo->scale_num = 1; cinfo->scale_num < 8; ++cinfo->scale_num)
        if ((int64_t)plan->from_width * cinfo->scale_num >= INT64_C(12) * plan->width &&
            (int64_t)plan->from_height * cinfo->scale_num >= INT64_C(12) * plan->height)
            return;
}

static enum picture_outcome read_all(struct reading *r, const unsigned char *bytes, size_t len,
                                     const struct picture_wish *wish)
{
    struct jpeg_decompress_struct *cinfo = &r->cinfo;
    struct picture_plan plan;
    jpeg_mem_src(cinfo, bytes, len);
    jpeg_save_markers(cinfo, JPEG_APP0 + 1, 0xffff);
    jpeg_save_markers(cinfo, JPEG_APP0 + 2, 0xffff);
    if (jpeg_read_header(cinfo, TRUE) != JPEG_HEADER_OK)
        return PICTURE_NONE;
    for (jpeg_saved_marker_ptr at = cinfo->marker_list; at != NULL && r->orientation == 0; at = at->next)
        if (at->marker == JPEG_APP0 + 1 && at->data_length > 14 && memcmp(at->data, "Exif\0", 6) == 0)
            r->orientation = orientation_in(at->data + 6, at->data_length - 6);
    struct picture_wish stored = *wish; /* as the file lies, before it is turned */
    if (r->orientation >= 5 && r->orientation <= 8)
        stored = (struct picture_wish){wish->height, wish->width, wish->crop};
    enum picture_outcome outcome = picture_plan(cinfo->image_width, cinfo->image_height, &stored, &plan);
    if (outcome != PICTURE_MADE)
        return outcome;
    shrink_on_load(cinfo, &plan);
    bool cmyk = cinfo->num_components == 4;
    cinfo->out_color_space = cmyk ? JCS_CMYK : JCS_EXT_RGBA;
    cinfo->dct_method = JDCT_ISLOW;
    if (!jpeg_read_icc_profile(cinfo, &r->profile, &r->profile_len))
        r->profile = NULL;
    jpeg_start_decompress(cinfo);
    if (picture_plan(cinfo->output_width, cinfo->output_height, &stored, &plan) != PICTURE_MADE) /* of what comes now */
        return PICTURE_NONE;
    r->row = malloc((size_t)cinfo->output_width * 4);
    if (r->row == NULL || !scaler_start(&r->scaler, plan.from_width, plan.from_height, plan.width, plan.height))
        return PICTURE_NONE;
    for (int y = 0; cinfo->output_scanline < cinfo->output_height; ++y) {
        jpeg_read_scanlines(cinfo, &r->row, 1);
        if (y < plan.y || y >= plan.y + plan.from_height)
            continue;
        if (cmyk)
            from_cmyk(r->row, (int)cinfo->output_width);
        scaler_row(&r->scaler, r->row + (size_t)plan.x * 4);
    }
    return PICTURE_MADE;
}

enum picture_outcome picture_jpeg(const unsigned char *bytes, size_t len, const struct picture_wish *wish,
                                  struct picture *out)
{
    struct reading *r = calloc(1, sizeof *r);
    volatile enum picture_outcome outcome = PICTURE_NONE;
    if (r == NULL)
        return PICTURE_NONE;
    r->cinfo.err = jpeg_std_error(&r->failing.super);
    r->failing.super.error_exit = fail;
    r->failing.super.emit_message = hear;
    if (setjmp(r->failing.out) == 0) {
        jpeg_create_decompress(&r->cinfo);
        r->cinfo.mem->max_memory_to_use = MEMORY_MAX;
        outcome = read_all(r, bytes, len, wish);
    }
    scaler_finish(&r->scaler);
    if (outcome == PICTURE_MADE) {
        *out = (struct picture){r->scaler.width, r->scaler.height, r->scaler.rgba};
        picture_orient(out, r->orientation);
        if (r->profile != NULL && r->profile_len <= PROFILE_MAX) {
            out->profile = r->profile;
            out->profile_len = r->profile_len;
            r->profile = NULL;
        }
    } else
        free(r->scaler.rgba);
    free(r->profile);
    free(r->row);
    jpeg_destroy_decompress(&r->cinfo);
    free(r);
    return outcome;
}

/* --- Writing --- */

static void write_rows(struct jpeg_compress_struct *cinfo, const struct picture *picture)
{
    jpeg_set_quality(cinfo, QUALITY, TRUE);
    cinfo->optimize_coding = TRUE;
    jpeg_start_compress(cinfo, TRUE);
    if (picture->profile != NULL)
        jpeg_write_icc_profile(cinfo, picture->profile, picture->profile_len);
    while (cinfo->next_scanline < cinfo->image_height) {
        JSAMPROW row = picture->rgba + (size_t)cinfo->next_scanline * (size_t)picture->width * 4;
        jpeg_write_scanlines(cinfo, &row, 1);
    }
    jpeg_finish_compress(cinfo);
}

bool picture_write_jpeg(const struct picture *picture, unsigned char **bytes, size_t *len)
{
    struct jpeg_compress_struct cinfo = {0};
    struct failing failing;
    unsigned long size = 0;
    *bytes = NULL;
    cinfo.err = jpeg_std_error(&failing.super);
    failing.super.error_exit = fail;
    if (setjmp(failing.out) != 0) {
        jpeg_destroy_compress(&cinfo);
        return false;
    }
    jpeg_create_compress(&cinfo);
    jpeg_mem_dest(&cinfo, bytes, &size);
    cinfo.image_width = (JDIMENSION)picture->width;
    cinfo.image_height = (JDIMENSION)picture->height;
    cinfo.input_components = 4;
    cinfo.in_color_space = JCS_EXT_RGBX;
    jpeg_set_defaults(&cinfo);
    write_rows(&cinfo, picture);
    jpeg_destroy_compress(&cinfo);
    *len = size;
    return true;
}
