/* SPDX-License-Identifier: BSD-3-Clause */
/* convert.c — see convert.h. */
#include "model/convert.h"

#include <math.h>
#include <string.h>

size_t dcnn_number_bytes(dcnn_number_type type) {
    static const size_t bytes[DCNN_NUMBER_COUNT] = {4, 8, 2, 2, 4, 8};
    return bytes[type];
}

/* IEEE 754's binary16: 1 bit sign, 5 bits exponent, 10 bits fraction. */
static float half_to_float(uint16_t bits) {
    const int exponent = bits >> 10 & 31;
    const double fraction = (double)(bits & 1023) / 1024.0, sign = bits >> 15 ? -1.0 : 1.0;
    if (exponent == 31) return (float)(sign * (fraction > 0.0 ? (double)NAN : (double)INFINITY));
    return (float)(sign * (exponent ? ldexp(1.0 + fraction, exponent - 15) : ldexp(fraction, -14)));
}

static float bf16_to_float(uint16_t bits) {
    const uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

static float one(dcnn_number_type type, const uint8_t *from) {
    union {
        float f32;
        double f64;
        uint16_t bits;
        int32_t i32;
        int64_t i64;
    } u;
    memcpy(&u, from, dcnn_number_bytes(type));
    switch (type) {
    case DCNN_NUMBER_F64:
        return (float)u.f64;
    case DCNN_NUMBER_F16:
        return half_to_float(u.bits);
    case DCNN_NUMBER_BF16:
        return bf16_to_float(u.bits);
    case DCNN_NUMBER_I32:
        return (float)u.i32;
    case DCNN_NUMBER_I64:
        return (float)u.i64;
    default:
        return u.f32;
    }
}

void dcnn_numbers_to_floats(dcnn_number_type type, size_t count, const uint8_t *bytes, float *values) {
    const size_t size = dcnn_number_bytes(type);
    if (type == DCNN_NUMBER_F32)
        memcpy(values, bytes, count * size);
    else
        for (size_t i = 0; i < count; i++) values[i] = one(type, bytes + i * size);
}
