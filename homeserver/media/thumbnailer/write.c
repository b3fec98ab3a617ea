#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "homeserver/media/thumbnailer/picture.h"

static bool write_all(int fd, const unsigned char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t written = write(fd, bytes, n);
        if (written <= 0)
            return false;
        bytes += written;
        n -= (size_t)written;
    }
    return true;
}

void png_number(unsigned char *at, size_t n)
{
    for (int i = 0; i < 4; ++i)
        at[i] = (unsigned char)(n >> (24 - 8 * i));
}

bool png_chunk(int fd, const char *type, const unsigned char *data, size_t len)
{
    unsigned char head[8], tail[4];
    png_number(head, len);
    memcpy(head + 4, type, 4);
    uLong crc = crc32(0, head + 4, 4);
    crc = len > 0 ? crc32(crc, data, (uInt)len) : crc;
    png_number(tail, crc);
    return write_all(fd, head, sizeof head) && write_all(fd, data, len) && write_all(fd, tail, sizeof tail);
}

/* Each row less the one to its left. */
unsigned char *png_rows(const struct picture *picture, size_t *len)
{
    size_t width = (size_t)picture->width * 4;
    *len = (width + 1) * (size_t)picture->height;
    unsigned char *out = malloc(*len), *to = out;
    for (int y = 0; out != NULL && y < picture->height; ++y) {
        const unsigned char *row = picture->rgba + (size_t)y * width;
        *to++ = 1;
        for (size_t x = 0; x < width; ++x)
            *to++ = (unsigned char)(row[x] - (x >= 4 ? row[x - 4] : 0));
    }
    return out;
}

bool png_begin(int fd, int width, int height)
{
    unsigned char header[13] = {[8] = 8, 6};
    png_number(header, (size_t)width);
    png_number(header + 4, (size_t)height);
    return write_all(fd, (const unsigned char *)"\x89PNG\r\n\x1a\n", 8) && png_chunk(fd, "IHDR", header, sizeof header);
}

static bool write_png(const struct picture *picture, int fd)
{
    size_t len;
    unsigned char *rows = png_rows(picture, &len);
    uLongf packed_len = compressBound(len);
    unsigned char *packed = malloc(packed_len);
    bool done = rows != NULL && packed != NULL && compress2(packed, &packed_len, rows, len, 6) == Z_OK &&
                png_begin(fd, picture->width, picture->height) && png_chunk(fd, "IDAT", packed, packed_len) &&
                png_chunk(fd, "IEND", NULL, 0);
    free(rows);
    free(packed);
    return done;
}

bool picture_write(const struct picture *picture, int fd)
{
    unsigned char *bytes;
    size_t len;
    if (!picture->opaque)
        return write_png(picture, fd);
    bool done = picture_write_jpeg(picture, &bytes, &len) && write_all(fd, bytes, len);
    free(bytes);
    return done;
}
