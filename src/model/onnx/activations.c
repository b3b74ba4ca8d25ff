/* SPDX-License-Identifier: BSD-3-Clause */
/* activations.c — the table of activations as ONNX operators. */
#include <math.h>

#include "model/onnx/write.h"

static const char *clip(dcnn_onnx_graph *g, const char *x, double low, double high) {
    const char *bounds[3] = {x, dcnn_onnx_number(g, low), dcnn_onnx_number(g, high)};
    return dcnn_onnx_node(g, "Clip", 3, bounds);
}

static const char *sloped(dcnn_onnx_graph *g, const char *operator, const char * x, const char *attribute,
                          double value) {
    const char *y = dcnn_onnx_one(g, operator, x);
    dcnn_onnx_float(g, attribute, value);
    return y;
}

/* Keras' ReLU: max_value where x reaches it, x from the threshold on, else negative_slope (x - threshold). */
static const char *general_relu(dcnn_onnx_graph *g, const char *x, const float *p) {
    const double most = (double)p[0], slope = (double)p[1], threshold = (double)p[2];
    const char *y;
    if (threshold > 0.0) {
        const char *low = dcnn_onnx_two(g, "Sub", x, dcnn_onnx_number(g, threshold));
        low = dcnn_onnx_two(g, "Mul", low, dcnn_onnx_number(g, slope));
        const char *reached = dcnn_onnx_two(g, "GreaterOrEqual", x, dcnn_onnx_number(g, threshold));
        y = dcnn_onnx_node(g, "Where", 3, (const char *const[]){reached, x, low});
    } else if (slope > 0.0) {
        y = sloped(g, "LeakyRelu", x, "alpha", slope);
    } else if (isfinite(most)) {
        return clip(g, x, 0.0, most);
    } else {
        return dcnn_onnx_one(g, "Relu", x);
    }
    return isfinite(most) ? dcnn_onnx_two(g, "Min", y, dcnn_onnx_number(g, most)) : y;
}

static const char *gelu(dcnn_onnx_graph *g, const char *x, bool by_tanh) {
    const char *y = dcnn_onnx_one(g, "Gelu", x);
    if (by_tanh) dcnn_onnx_word(g, "approximate", "tanh");
    dcnn_onnx_needs(g, 20);
    return y;
}

static const char *softmax(dcnn_onnx_graph *g, const char *x) {
    const char *y = dcnn_onnx_one(g, "Softmax", x);
    dcnn_onnx_int(g, "axis", 1);
    return y;
}

static const char *hard_sigmoid(dcnn_onnx_graph *g, const char *x) {
    const char *y = sloped(g, "HardSigmoid", x, "alpha", 1.0 / 6.0);
    dcnn_onnx_float(g, "beta", 0.5);
    return y;
}

static const char *mish(dcnn_onnx_graph *g, const char *x) {
    dcnn_onnx_needs(g, 18);
    return dcnn_onnx_one(g, "Mish", x);
}

const char *dcnn_onnx_activate(dcnn_onnx_graph *g, dcnn_activation f, const char *x) {
    switch (f.kind) {
    case DCNN_LINEAR:
        return x;
    case DCNN_RELU:
        return dcnn_onnx_one(g, "Relu", x);
    case DCNN_SIGMOID:
        return dcnn_onnx_one(g, "Sigmoid", x);
    case DCNN_TANH:
        return dcnn_onnx_one(g, "Tanh", x);
    case DCNN_SOFTMAX:
        return softmax(g, x);
    case DCNN_RELU6:
    case DCNN_LEAKY_RELU:
    case DCNN_GENERAL_RELU:
        return general_relu(g, x, f.p);
    case DCNN_ELU:
        return sloped(g, "Elu", x, "alpha", (double)f.p[0]);
    case DCNN_SELU:
        return dcnn_onnx_one(g, "Selu", x);
    case DCNN_CELU:
        return sloped(g, "Celu", x, "alpha", (double)f.p[0]);
    case DCNN_GELU:
    case DCNN_GELU_TANH:
        return gelu(g, x, f.kind == DCNN_GELU_TANH);
    case DCNN_SILU:
        return dcnn_onnx_two(g, "Mul", x, dcnn_onnx_one(g, "Sigmoid", x));
    case DCNN_HARD_SILU:
        return dcnn_onnx_one(g, "HardSwish", x);
    case DCNN_HARD_SIGMOID:
        return hard_sigmoid(g, x);
    case DCNN_HARD_TANH:
        return clip(g, x, -1.0, 1.0);
    case DCNN_SOFTPLUS:
        return dcnn_onnx_one(g, "Softplus", x);
    case DCNN_SOFTSIGN:
        return dcnn_onnx_one(g, "Softsign", x);
    case DCNN_LOG_SIGMOID:
        return dcnn_onnx_one(g, "Neg", dcnn_onnx_one(g, "Softplus", dcnn_onnx_one(g, "Neg", x)));
    case DCNN_EXPONENTIAL:
        return dcnn_onnx_one(g, "Exp", x);
    case DCNN_MISH:
        return mish(g, x);
    default:
        return NULL;
    }
}
