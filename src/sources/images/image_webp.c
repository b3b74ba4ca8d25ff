/* SPDX-License-Identifier: BSD-3-Clause */
/* image_webp.c — WebP by libwebp, where the build has it. */
#include "sources/images/image_formats.h"

#ifdef DCNN_HAVE_WEBP

#include <webp/decode.h>

dcnn_status dcnn_webp_decode(const char *name, const uint8_t *bytes, size_t length, bool size_only, dcnn_image *image) {
    WebPBitstreamFeatures about;
    if (WebPGetFeatures(bytes, length, &about) != VP8_STATUS_OK)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: a damaged WebP image", name);
    if (about.has_animation)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: an animated WebP; save one of its images as PNG", name);
    if (size_only) return dcnn_image_shape(name, about.height, about.width, about.has_alpha ? 4 : 3, image);
    DCNN_TRY(dcnn_image_allocate(name, about.height, about.width, about.has_alpha ? 4 : 3, image));
    const int line = image->w * image->c;
    const size_t size = (size_t)line * (size_t)image->h;
    const uint8_t *done = about.has_alpha ? WebPDecodeRGBAInto(bytes, length, image->pixels, size, line)
                                          : WebPDecodeRGBInto(bytes, length, image->pixels, size, line);
    if (!done) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: a damaged WebP image: it ends too early, or is broken", name);
    return DCNN_OK;
}

#else

dcnn_status dcnn_webp_decode(const char *name, const uint8_t *bytes, size_t length, bool size_only, dcnn_image *image) {
    (void)bytes;
    (void)length;
    (void)size_only;
    (void)image;
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "%s: a WebP image, but this dcnn was built without libwebp; save it as PNG or JPEG", name);
}

#endif
