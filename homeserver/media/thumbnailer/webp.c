#include <stdlib.h>

#include <webp/decode.h>
#include <webp/demux.h>

#include "homeserver/media/thumbnailer/picture.h"

static enum picture_outcome read_still(const unsigned char *bytes, size_t len, const struct picture_wish *wish,
                                       struct picture *out)
{
    WebPDecoderConfig config;
    struct picture_plan plan;
    if (!WebPInitDecoderConfig(&config) || WebPGetFeatures(bytes, len, &config.input) != VP8_STATUS_OK)
        return PICTURE_NONE;
    enum picture_outcome outcome = picture_plan(config.input.width, config.input.height, wish, &plan);
    if (outcome != PICTURE_MADE)
        return outcome;
    if ((int64_t)config.input.width * config.input.height > 4 * PICTURE_WHOLE_PIXELS)
        return PICTURE_TOO_LARGE;
    config.options.use_cropping = 1;
    config.options.crop_left = plan.x & ~1; /* it takes even ones */
    config.options.crop_top = plan.y & ~1;
    config.options.crop_width = plan.from_width;
    config.options.crop_height = plan.from_height;
    config.options.use_scaling = 1;
    config.options.scaled_width = plan.width;
    config.options.scaled_height = plan.height;
    unsigned char *rgba = calloc((size_t)plan.width * (size_t)plan.height, 4);
    config.output.colorspace = MODE_RGBA;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = rgba;
    config.output.u.RGBA.stride = plan.width * 4;
    config.output.u.RGBA.size = (size_t)plan.width * (size_t)plan.height * 4;
    bool done = rgba != NULL && WebPDecode(bytes, len, &config) == VP8_STATUS_OK;
    WebPFreeDecBuffer(&config.output);
    if (done)
        *out = (struct picture){plan.width, plan.height, rgba};
    else
        free(rgba);
    return done ? PICTURE_MADE : PICTURE_NONE;
}

/* Of an animated one, the first frame. */
enum picture_outcome picture_webp(const unsigned char *bytes, size_t len, const struct picture_wish *wish,
                                  struct picture *out)
{
    WebPBitstreamFeatures features;
    if (WebPGetFeatures(bytes, len, &features) != VP8_STATUS_OK)
        return PICTURE_NONE;
    if (!features.has_animation)
        return read_still(bytes, len, wish, out);
    const WebPData data = {bytes, len};
    WebPIterator frame;
    WebPDemuxer *demuxer = WebPDemux(&data);
    enum picture_outcome outcome = PICTURE_NONE;
    if (demuxer != NULL && WebPDemuxGetFrame(demuxer, 1, &frame)) {
        outcome = read_still(frame.fragment.bytes, frame.fragment.size, wish, out);
        WebPDemuxReleaseIterator(&frame);
    }
    WebPDemuxDelete(demuxer);
    return outcome;
}

enum picture_outcome animation_webp(const unsigned char *bytes, size_t len, const struct picture_wish *wish, int fd)
{
    WebPAnimDecoderOptions options;
    WebPAnimInfo info;
    WebPBitstreamFeatures features;
    struct animation animation;
    const WebPData data = {bytes, len};
    if (!WebPAnimDecoderOptionsInit(&options) || WebPGetFeatures(bytes, len, &features) != VP8_STATUS_OK ||
        !features.has_animation)
        return PICTURE_NONE;
    if ((int64_t)features.width * features.height > PICTURE_WHOLE_PIXELS)
        return PICTURE_TOO_LARGE;
    options.color_mode = MODE_RGBA;
    WebPAnimDecoder *decoder = WebPAnimDecoderNew(&data, &options);
    enum picture_outcome outcome =
        decoder != NULL && WebPAnimDecoderGetInfo(decoder, &info) ? PICTURE_MADE : PICTURE_NONE;
    if (outcome == PICTURE_MADE)
        outcome = animation_begin(&animation, fd, (int)info.canvas_width, (int)info.canvas_height, wish);
    uint8_t *rgba;
    int at_ms, before_ms = 0;
    while (outcome == PICTURE_MADE && WebPAnimDecoderHasMoreFrames(decoder) &&
           WebPAnimDecoderGetNext(decoder, &rgba, &at_ms)) {
        outcome = animation_add(&animation, rgba, at_ms - before_ms);
        before_ms = at_ms;
    }
    WebPAnimDecoderDelete(decoder);
    return outcome == PICTURE_MADE ? animation_end(&animation) : outcome;
}
