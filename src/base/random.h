/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file random.h — random numbers as pure functions of (seed, purpose, epoch, sample, index).
 *
 * There is no generator state: nothing to seed, forget or store. The function is Philox4x32-10 (Salmon et al.,
 * "Parallel random numbers: as easy as 1, 2, 3", SC'11) from the Random123 headers; its statistics are theirs.
 */
#ifndef DCNN_BASE_RANDOM_H
#define DCNN_BASE_RANDOM_H

#include <stdint.h>

/** What a number is for: two purposes never share numbers. Values are part of the file format; append only. */
typedef enum dcnn_random_purpose {
    DCNN_RANDOM_SPLIT = 1,   /**< which samples are test and validation */
    DCNN_RANDOM_SHUFFLE = 2, /**< order of the training samples in an epoch */
    DCNN_RANDOM_AUGMENT = 3, /**< the geometric change of a sample in an epoch */
    DCNN_RANDOM_INIT = 4,    /**< initial weights */
    DCNN_RANDOM_DROPOUT = 5, /**< dropped activations of a sample in an epoch */
    DCNN_RANDOM_NOISE = 6,   /**< images that mean nothing, to measure time with */
    DCNN_RANDOM_CHUNKS = 16, /**< order of the chunks of neighbouring training samples in an epoch */
    DCNN_RANDOM_WINDOW = 17, /**< order of the samples in a window of such chunks */
    DCNN_RANDOM_MIX = 18,    /**< how much of another image is mixed into a sample in an epoch */
    DCNN_RANDOM_TUNE = 20,   /**< which values a search tries */
    DCNN_RANDOM_AGAIN = 19   /**< which samples of a class are drawn once more than others in an epoch */
} dcnn_random_purpose;

typedef struct dcnn_random_bits {
    uint32_t word[4];
} dcnn_random_bits;

/**
 * 128 random bits, a pure function of its arguments. *Local.*
 * @param stream  low 24 bits: the epoch, or the layer, as the purpose wants
 * @param sample  sample or tensor number
 * @param index   position inside the sample's own sequence
 */
dcnn_random_bits dcnn_random(uint64_t seed, dcnn_random_purpose purpose, uint32_t stream, int64_t sample,
                             uint32_t index);

/** A double in [0, 1) from 32 bits. */
static inline double dcnn_random_unit(uint32_t word) {
    return (double)word * 0x1p-32;
}

/** A double uniform in [low, high). */
static inline double dcnn_random_between(uint32_t word, double low, double high) {
    return low + (high - low) * dcnn_random_unit(word);
}

/** A normal deviate (mean 0, deviation 1) from two words, by Box and Muller. */
double dcnn_random_normal(uint32_t word0, uint32_t word1);

/**
 * Image of `position` under a random permutation of 0..count-1, a pure function of (seed, purpose, stream): a
 * balanced Feistel network over the next power of four, walked along its cycle until it lands inside (Black and
 * Rogaway, "Ciphers with arbitrary finite domains", 2002). No table, no memory: any rank can ask for any position.
 * *Local.*
 * @param position  0 <= position < count
 */
int64_t dcnn_random_permute(uint64_t seed, dcnn_random_purpose purpose, uint32_t stream, int64_t count,
                            int64_t position);

#endif
