/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * whole_seal.c — a data set of today with the seal of format 1, whose checksum is of the whole file.
 *
 *   whole_seal DATA.h5 OUT.h5
 */
#include <stdio.h>
#include <stdlib.h>

#include "io/file.h"

int main(int argc, char **argv) {
    uint8_t *bytes = NULL;
    size_t length;
    dcnn_status status = argc == 3 ? dcnn_file_read(argv[1], &bytes, &length) : DCNN_USAGE;
    if (status == DCNN_OK) status = dcnn_file_write(argv[2], bytes, length - DCNN_SEAL_AROUND_BYTES, true);
    if (status != DCNN_OK) fprintf(stderr, "whole_seal: %s\n", dcnn_error());
    free(bytes);
    return status != DCNN_OK;
}
