/** @file adam.h — Adam on the flat parameter vector, by Keras' definition. */
#ifndef DCNN_NN_ADAM_H
#define DCNN_NN_ADAM_H

#include "kernels/kernels.h"

/** Settings of Keras' Adam (Kingma and Ba, 2015); epsilon is added outside the root. */
typedef struct dcnn_adam {
    double learning_rate, beta1, beta2, epsilon;
} dcnn_adam;

/**
 * The constants of step `step` (1 for the first): alpha = learning_rate sqrt(1 - beta2^t) / (1 - beta1^t). *Local.*
 * @param batch  samples in the global batch; gradients are sums and are divided by it once (law 1)
 */
dcnn_adam_step dcnn_adam_at(const dcnn_adam *adam, int64_t step, int64_t batch);

#endif
