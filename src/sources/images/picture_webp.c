/* SPDX-License-Identifier: BSD-3-Clause */
/* picture_webp.c — WebP by libwebp, where the build has it. */
#include "sources/images/picture_formats.h"

#ifdef DCNN_HAVE_WEBP

#include <webp/decode.h>

dcnn_status dcnn_webp_decode(const char *name, const uint8_t *bytes, size_t length, bool size_only,
                             dcnn_picture *picture) {
    WebPBitstreamFeatures about;
    if (WebPGetFeatures(bytes, length, &about) != VP8_STATUS_OK)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: a damaged WebP image", name);
    if (about.has_animation)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: an animated WebP; save one of its images as PNG", name);
    if (size_only) return dcnn_picture_shape(name, about.height, about.width, about.has_alpha ? 4 : 3, picture);
    DCNN_TRY(dcnn_picture_allocate(name, about.height, about.width, about.has_alpha ? 4 : 3, picture));
    const int line = picture->w * picture->c;
    const size_t size = (size_t)line * (size_t)picture->h;
    const uint8_t *done = about.has_alpha ? WebPDecodeRGBAInto(bytes, length, picture->pixels, size, line)
                                          : WebPDecodeRGBInto(bytes, length, picture->pixels, size, line);
    if (!done) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: a damaged WebP image: it ends too early, or is broken", name);
    return DCNN_OK;
}

#else

dcnn_status dcnn_webp_decode(const char *name, const uint8_t *bytes, size_t length, bool size_only,
                             dcnn_picture *picture) {
    (void)bytes;
    (void)length;
    (void)size_only;
    (void)picture;
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "%s: a WebP image, but this dcnn was built without libwebp; save it as PNG or JPEG", name);
}

#endif
