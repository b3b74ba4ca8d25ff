/* SPDX-License-Identifier: BSD-3-Clause */
/* record.c — see record.h. */
#include "report/record.h"

#include <stdlib.h>
#include <string.h>

enum { HEAD_BYTES = 12, TAIL_BYTES = 4 };

uint32_t dcnn_crc32c(const uint8_t *bytes, size_t length) {
    uint32_t table[16], crc = ~0U; /* a nibble at a time: small enough to make anew, fast enough for a log */
    for (uint32_t i = 0; i < 16; i++) {
        table[i] = i;
        for (int bit = 0; bit < 4; bit++) table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0x82f63b78U : 0);
    }
    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

static uint32_t masked(const uint8_t *bytes, size_t length) {
    const uint32_t crc = dcnn_crc32c(bytes, length);
    return (crc >> 15 | crc << 17) + 0xa282ead8U;
}

static void put(uint8_t *at, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) at[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(const uint8_t *at, int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) value |= (uint64_t)at[i] << (8 * i);
    return value;
}

void dcnn_records_append(dcnn_records *records, const uint8_t *payload, size_t length) {
    const size_t needed = records->length + HEAD_BYTES + length + TAIL_BYTES;
    if (needed > records->room) {
        uint8_t *bytes = realloc(records->bytes, 2 * needed);
        if (bytes == NULL) {
            records->failed = true;
            return;
        }
        records->bytes = bytes;
        records->room = 2 * needed;
    }
    uint8_t *at = records->bytes + records->length;
    put(at, length, 8);
    put(at + 8, masked(at, 8), 4);
    if (length > 0) memcpy(at + HEAD_BYTES, payload, length);
    put(at + HEAD_BYTES + length, masked(payload, length), 4);
    records->length = needed;
}

bool dcnn_records_next(const uint8_t *bytes, size_t length, size_t *offset, const uint8_t **payload,
                       size_t *payload_length) {
    const size_t left = length - *offset;
    const uint8_t *at = bytes + *offset;
    if (left < HEAD_BYTES + TAIL_BYTES || get(at + 8, 4) != masked(at, 8)) return false;
    const uint64_t size = get(at, 8);
    if (size > left - HEAD_BYTES - TAIL_BYTES) return false;
    if (get(at + HEAD_BYTES + size, 4) != masked(at + HEAD_BYTES, size)) return false;
    *payload = at + HEAD_BYTES;
    *payload_length = size;
    *offset += HEAD_BYTES + size + TAIL_BYTES;
    return true;
}
