/* adam.c — the bias-corrected step size; the arithmetic on vectors is the kernel's. */
#include "nn/adam.h"

#include <math.h>

dcnn_adam_step dcnn_adam_at(const dcnn_adam *adam, int64_t step, int64_t batch) {
    double correction1 = 1.0 - pow(adam->beta1, (double)step), correction2 = 1.0 - pow(adam->beta2, (double)step);
    return (dcnn_adam_step){
        .alpha = (float)(adam->learning_rate * sqrt(correction2) / correction1),
        .beta1 = (float)adam->beta1,
        .beta2 = (float)adam->beta2,
        .epsilon = (float)adam->epsilon,
        .gradient_scale = (float)(1.0 / (double)batch),
    };
}
