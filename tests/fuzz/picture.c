/* Each decoder of thumbnails, as it runs in the process for them: JPEG with EXIF, PNG, WebP, GIF, and
 * what is made of them. */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>

#include "homeserver/media/thumbnailer/picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const struct picture_wish WISHES[] = {{32, 32, true}, {40, 30, false}};
    static int nowhere = -1;
    if (nowhere < 0)
        nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (int i = 0; i < 2; ++i) {
        struct picture picture;
        if (picture_make(bytes, len, &WISHES[i], &picture) == PICTURE_MADE)
            picture_finish(&picture);
    }
    picture_animate(bytes, len, &WISHES[1], nowhere);
    return 0;
}
