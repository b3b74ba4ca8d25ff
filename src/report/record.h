/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file record.h — TensorFlow's record files: each record is its length (8 bytes, little-endian), the length's masked
 * CRC32C, its bytes, and their masked CRC32C (TensorFlow, tensorflow/core/lib/io/record_writer.h).
 */
#ifndef DCNN_REPORT_RECORD_H
#define DCNN_REPORT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Records in memory, one behind the other. Free `bytes`. */
typedef struct dcnn_records {
    uint8_t *bytes;
    size_t length, room;
    bool failed; /**< memory ran out: some record is missing */
} dcnn_records;

/** CRC-32C (Castagnoli; RFC 3720, appendix B.4). *Local.* */
uint32_t dcnn_crc32c(const uint8_t *bytes, size_t length);

/** Appends a record. *Local.* */
void dcnn_records_append(dcnn_records *records, const uint8_t *payload, size_t length);

/**
 * The record at `*offset`, which then moves behind it. *Local.*
 * @return false, and `*offset` stays, where the bytes end or the record is cut short or damaged
 */
bool dcnn_records_next(const uint8_t *bytes, size_t length, size_t *offset, const uint8_t **payload,
                       size_t *payload_length);

#endif
