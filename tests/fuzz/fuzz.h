/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file fuzz.h — readers of what other hands wrote, each as a function of bytes: libFuzzer makes them up (tools/fuzz),
 * and a test reads those in corpus/ (replay.c).
 *
 * A target reads, and looks at what came of it: right or refused, with one sentence. What a sanitizer finds on the way
 * ends the process, as does a broken promise.
 */
#ifndef DCNN_FUZZ_H
#define DCNN_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct fuzz_target {
    const char *name; /**< also its folder in corpus/ */
    void (*run)(const uint8_t *bytes, size_t length);
} fuzz_target;

/** All of them; the last has no name. */
extern const fuzz_target fuzz_targets[];

/** Puts bytes into a file of this process alone, in memory. @return its path, valid until the next call */
const char *fuzz_file(const char *name, const uint8_t *bytes, size_t length);
void fuzz_remove_folder(void); /**< with its folder */

/** Aborts unless this is success, or a refusal with one readable sentence: damaged input is nobody's failure but its
 * own. What needs more memory than there is may say so. */
dcnn_status fuzz_check(dcnn_status status);

/** Ends the process: a promise is broken. */
_Noreturn void fuzz_broken(const char *promise);

/* HDF5 files that are whole, but hold what nobody expects (built.c). */
void fuzz_built_data(const uint8_t *bytes, size_t length);
void fuzz_built_model(const uint8_t *bytes, size_t length);
void fuzz_safetensors(const uint8_t *bytes, size_t length);
void fuzz_built_keras(const uint8_t *bytes, size_t length);

#endif
