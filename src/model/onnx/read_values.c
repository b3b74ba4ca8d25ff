/* SPDX-License-Identifier: BSD-3-Clause */
/* read_values.c — the table of ONNX operators that are activations, or merge values. */
#include <math.h>
#include <string.h>

#include "model/onnx/build.h"
#include "model/onnx/read.h"

/* A layer that keeps its input's shape. */
static dcnn_status add_alike(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const char *class_name, json_t *config,
                             bool positive, dcnn_onnx_value *x) {
    DCNN_TRY(dcnn_onnx_add(r, node, class_name, config, 1, x, x));
    x->positive = positive;
    return DCNN_OK;
}

static bool is_made_by(const dcnn_onnx_value *value, const char *operator) {
    return value->made_by && strcmp(value->made_by->op_type, operator) == 0;
}

/* A constant of one number. */
static bool is_number(const dcnn_onnx_value *value, double *number) {
    if (value->kind != ONNX_CONSTANT || value->count != 1) return false;
    *number = value->floats ? (double)value->floats[0] : (double)value->ints[0];
    return true;
}

static bool is_about(double a, double b) {
    return fabs(a - b) <= 1e-5 * fabs(b);
}

/* --- activations -------------------------------------------------------------------------------------------------- */

static const struct {
    const char *operator, * keras;
    bool positive;
} plain[] = {{"Relu", "relu", true},       {"Sigmoid", "sigmoid", true},      {"Tanh", "tanh", false},
             {"Selu", "selu", false},      {"Softplus", "softplus", true},    {"Softsign", "softsign", false},
             {"Exp", "exponential", true}, {"HardSwish", "hard_silu", false}, {"Mish", "mish", false}};

static const double selu_alpha = 1.6732632, selu_gamma = 1.0507010;

static dcnn_status activation(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    size_t i = 0;
    while (strcmp(plain[i].operator, node->op_type) != 0) i++;
    if (!is_about(dcnn_onnx_float_of(node, "alpha", selu_alpha), selu_alpha) ||
        !is_about(dcnn_onnx_float_of(node, "gamma", selu_gamma), selu_gamma))
        return dcnn_onnx_refuse(r, node, "dcnn has it with the alpha and gamma of its authors");
    DCNN_TRY(dcnn_onnx_settled(r, node, out));
    return add_alike(r, node, "Activation", json_pack("{s:s}", "activation", plain[i].keras), plain[i].positive, out);
}

static dcnn_status leaky_relu(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    DCNN_TRY(dcnn_onnx_settled(r, node, out));
    json_t *config = json_pack("{s:f}", "negative_slope", dcnn_onnx_float_of(node, "alpha", 0.01));
    return add_alike(r, node, "LeakyReLU", config, false, out);
}

static dcnn_status elu(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    const double alpha = dcnn_onnx_float_of(node, "alpha", 1.0);
    DCNN_TRY(dcnn_onnx_settled(r, node, out));
    if (strcmp(node->op_type, "Elu") == 0)
        return add_alike(r, node, "ELU", json_pack("{s:f}", "alpha", alpha), false, out);
    if (alpha != 1.0) return dcnn_onnx_refuse(r, node, "dcnn supports it only with alpha 1");
    return add_alike(r, node, "Activation", json_pack("{s:s}", "activation", "celu"), false, out);
}

static dcnn_status thresholded_relu(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    DCNN_TRY(dcnn_onnx_settled(r, node, out));
    json_t *config = json_pack("{s:f}", "threshold", dcnn_onnx_float_of(node, "alpha", 1.0));
    return add_alike(r, node, "ReLU", config, true, out);
}

static dcnn_status hard_sigmoid(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    DCNN_TRY(dcnn_onnx_settled(r, node, out));
    if (!is_about(dcnn_onnx_float_of(node, "alpha", 0.2), 1.0 / 6.0) || dcnn_onnx_float_of(node, "beta", 0.5) != 0.5)
        return dcnn_onnx_refuse(r, node, "dcnn supports it only with alpha 1/6 and beta 0.5");
    return add_alike(r, node, "Activation", json_pack("{s:s}", "activation", "hard_sigmoid"), true, out);
}

static dcnn_status gelu(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    DCNN_TRY(dcnn_onnx_settled(r, node, out));
    if (!dcnn_onnx_is(node, "approximate", "none", "none"))
        return dcnn_onnx_refuse(r, node, "dcnn supports it only without approximation");
    return add_alike(r, node, "Activation", json_pack("{s:s}", "activation", "gelu"), false, out);
}

/* Softmax over the channels; a LogSoftmax at the very end is left to the loss, which makes probabilities of logits. */
static dcnn_status softmax(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    const bool log = strcmp(node->op_type, "LogSoftmax") == 0;
    const int64_t axis = dcnn_onnx_int_of(node, "axis", r->opset >= 13 ? -1 : 1);
    DCNN_TRY(dcnn_onnx_input(r, node, 0, out));
    if (out->kind == ONNX_GROUPED && out->groups == out->c && !log && (axis == 2 || axis == -1)) /* rows and columns */
        return add_alike(r, node, "Softmax", json_pack("{s:[i,i]}", "axis", 1, 2), true, out);
    DCNN_TRY(dcnn_onnx_settle(r, node, out));
    const bool map = out->kind == ONNX_MAP, vector = out->kind == ONNX_VECTOR;
    const int64_t from_first = axis < 0 ? axis + (vector ? 2 : 4) : axis;
    if (r->opset < 13 && map && (int64_t)out->h * out->w > 1)
        return dcnn_onnx_refuse(r, node, "before opset 13 it runs over all of a map, which dcnn does not have");
    if (from_first < 1 || from_first > (vector ? 1 : 3)) return dcnn_onnx_refuse(r, node, "it has no such axis");
    const int64_t channels = out->kind == ONNX_LAST ? 3 : 1;
    if (from_first != channels && !log) {
        const json_int_t at = map ? from_first - 1 : from_first; /* of Keras' [N, h, w, c] */
        return add_alike(r, node, "Softmax", json_pack("{s:I}", "axis", at), true, out);
    }
    if (from_first != channels) return dcnn_onnx_refuse(r, node, "dcnn supports it only over the channels");
    if (!log) return add_alike(r, node, "Activation", json_pack("{s:s}", "activation", "softmax"), true, out);
    if (strcmp(node->output[0], r->graph->output[0]->name) != 0)
        return dcnn_onnx_refuse(r, node, "dcnn supports it only at the very end, where the loss takes its place");
    snprintf(r->told, sizeof r->told, "ends in LogSoftmax, which is left to the loss: its outputs count as logits");
    return DCNN_OK;
}

dcnn_status dcnn_onnx_bound(const dcnn_onnx_reader *r, const DcnnOnnx__Node *node, size_t input, const char *attribute,
                            double *value) {
    const DcnnOnnx__Attribute *old = dcnn_onnx_attribute(node, attribute);
    dcnn_onnx_value constant;
    if (old) *value = (double)old->f;
    if (old || !dcnn_onnx_has_input(node, input)) return DCNN_OK;
    DCNN_TRY(dcnn_onnx_input(r, node, input, &constant));
    return is_number(&constant, value) ? DCNN_OK : dcnn_onnx_refuse(r, node, "its bounds are not constants");
}

static bool has_as_input(const DcnnOnnx__Node *node, size_t number, const char *name) {
    return dcnn_onnx_has_input(node, number) && strcmp(node->input[number], name) == 0;
}

/* PyTorch's softplus is x itself where x is large: Where(x > 20, x, Softplus(x)). In float the two are one from 15 on.
 */
static bool is_softplus(const dcnn_onnx_value *condition, const dcnn_onnx_value *x, const dcnn_onnx_value *y,
                        double number) {
    return is_made_by(condition, "Greater") && number >= 15.0 && is_made_by(y, "Softplus") &&
           has_as_input(y->made_by, 0, x->name);
}

/* Keras' ReLU with a threshold: Where(x >= t, x, (x - t) slope). */
static bool is_threshold(const dcnn_onnx_reader *r, const dcnn_onnx_value *condition, const dcnn_onnx_value *x,
                         const dcnn_onnx_value *y, double threshold, double *slope) {
    dcnn_onnx_value below, factor, number;
    double t = 0.0;
    return is_made_by(condition, "GreaterOrEqual") && threshold >= 0.0 && is_made_by(y, "Mul") &&
           dcnn_onnx_input(r, y->made_by, 0, &below) == DCNN_OK &&
           dcnn_onnx_input(r, y->made_by, 1, &factor) == DCNN_OK && is_number(&factor, slope) && *slope >= 0.0 &&
           is_made_by(&below, "Sub") && has_as_input(below.made_by, 0, x->name) &&
           dcnn_onnx_input(r, below.made_by, 1, &number) == DCNN_OK && is_number(&number, &t) && t == threshold;
}

static dcnn_status where(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    dcnn_onnx_value condition, x, y, least;
    double number = 0.0, slope = 0.0;
    DCNN_TRY(dcnn_onnx_input(r, node, 0, &condition));
    DCNN_TRY(dcnn_onnx_input(r, node, 1, &x));
    DCNN_TRY(dcnn_onnx_input(r, node, 2, &y));
    const bool compared = condition.made_by && condition.made_by->n_input == 2 &&
                          has_as_input(condition.made_by, 0, x.name) &&
                          dcnn_onnx_input(r, condition.made_by, 1, &least) == DCNN_OK && is_number(&least, &number);
    if (compared && is_softplus(&condition, &x, &y, number)) {
        *out = y;
        return DCNN_OK;
    }
    if (!compared || !is_threshold(r, &condition, &x, &y, number, &slope))
        return dcnn_onnx_refuse(r, node, "dcnn does not have this operator");
    DCNN_TRY(dcnn_onnx_settle(r, node, &x));
    *out = x;
    return add_alike(r, node, "ReLU", json_pack("{s:f, s:f}", "threshold", number, "negative_slope", slope),
                     slope == 0.0, out);
}

/* max(x, least) = least + relu(x - least); min(x, most) = most - relu(most - x). A ReLU takes the bound itself. */
static dcnn_status bound(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, bool least, double number,
                         dcnn_onnx_value *x) {
    const double sign = least ? 1.0 : -1.0;
    json_t *config = x->layer ? dcnn_onnx_config(r, x->layer) : NULL;
    const bool sloped = is_made_by(x, "LeakyRelu") || is_made_by(x, "Where");
    if (!least && sloped && number >= 0.0 && dcnn_onnx_uses(r, x->name) == 1 &&
        number >= json_number_value(json_object_get(config, "threshold"))) {
        json_object_set_new(config, "max_value", json_real(number));
        if (is_made_by(x, "LeakyRelu")) dcnn_onnx_rename(r, x->layer, "ReLU");
        return DCNN_OK;
    }
    if (!isfinite(number)) return dcnn_onnx_refuse(r, node, "its bound is no finite number");
    DCNN_TRY(
        dcnn_onnx_add(r, NULL, "Rescaling", json_pack("{s:f, s:f}", "scale", sign, "offset", -sign * number), 1, x, x));
    DCNN_TRY(dcnn_onnx_add(r, NULL, "ReLU", json_object(), 1, x, x));
    return add_alike(r, node, "Rescaling", json_pack("{s:f, s:f}", "scale", sign, "offset", number),
                     least && number >= 0.0, x);
}

static dcnn_status clip(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    double low = -INFINITY, high = INFINITY;
    DCNN_TRY(dcnn_onnx_settled(r, node, out));
    DCNN_TRY(dcnn_onnx_bound(r, node, 1, "min", &low));
    DCNN_TRY(dcnn_onnx_bound(r, node, 2, "max", &high));
    if (low == 0.0 && high == 6.0)
        return add_alike(r, node, "Activation", json_pack("{s:s}", "activation", "relu6"), true, out);
    if (low == -1.0 && high == 1.0)
        return add_alike(r, node, "Activation", json_pack("{s:s}", "activation", "hard_tanh"), false, out);
    if (!(low <= high)) return dcnn_onnx_refuse(r, node, "its upper bound lies below its lower one");
    if (low != 0.0) {
        if (isfinite(low)) DCNN_TRY(bound(r, node, true, low, out));
        return isfinite(high) ? bound(r, node, false, high, out) : DCNN_OK;
    }
    json_t *config = json_object();
    if (isfinite(high)) json_object_set_new(config, "max_value", json_real(high));
    return add_alike(r, node, "ReLU", config, true, out);
}

/* Max or Min with a number. */
static dcnn_status with_bound(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value x,
                              const dcnn_onnx_value *constant, dcnn_onnx_value *out) {
    double number;
    if (!is_number(constant, &number))
        return dcnn_onnx_refuse(r, node, "dcnn supports it only between layers, or with one number");
    DCNN_TRY(dcnn_onnx_settle(r, node, &x));
    *out = x;
    return bound(r, node, strcmp(node->op_type, "Max") == 0, number, out);
}

/* --- sums and products -------------------------------------------------------------------------------------------- */

/* gelu by its definition, as PyTorch writes it before opset 20: x (1 + erf(x / sqrt 2)) / 2, its factors in any order.
 */
typedef struct factors {
    const char *x;      /* name of the one value that is not a part of it */
    const char *inside; /* of what erf is of */
    double number;
    int values, sums;
} factors;

static bool take_sum(const dcnn_onnx_reader *r, const DcnnOnnx__Node *sum, factors *f) {
    for (size_t i = 0; i < 2 && sum->n_input == 2; i++) {
        dcnn_onnx_value erf, one, part, root;
        double number = 0.0;
        if (dcnn_onnx_input(r, sum, i, &erf) != DCNN_OK || dcnn_onnx_input(r, sum, 1 - i, &one) != DCNN_OK) continue;
        if (!is_made_by(&erf, "Erf") || !is_number(&one, &number) || number != 1.0) continue;
        if (dcnn_onnx_input(r, erf.made_by, 0, &part) != DCNN_OK || part.made_by == NULL) continue;
        const bool divided = is_made_by(&part, "Div");
        if ((!divided && !is_made_by(&part, "Mul")) || dcnn_onnx_input(r, part.made_by, 1, &root) != DCNN_OK) continue;
        if (!is_number(&root, &number) || !is_about(number, divided ? sqrt(2.0) : sqrt(0.5))) continue;
        f->inside = part.made_by->input[0];
        f->sums++;
        return true;
    }
    return false;
}

static bool take_factors(const dcnn_onnx_reader *r, const DcnnOnnx__Node *product, int depth, factors *f) {
    for (size_t i = 0; i < 2; i++) {
        dcnn_onnx_value value;
        double number;
        if (dcnn_onnx_input(r, product, i, &value) != DCNN_OK) return false;
        if (is_number(&value, &number)) {
            f->number *= number;
        } else if (is_made_by(&value, "Add") && value.kind == ONNX_OPEN) {
            if (!take_sum(r, value.made_by, f)) return false;
        } else if (is_made_by(&value, "Mul") && depth < 1 && f->x == NULL &&
                   (value.kind == ONNX_OPEN || dcnn_onnx_uses(r, value.name) == 1)) {
            if (!take_factors(r, value.made_by, depth + 1, f)) return false;
        } else {
            f->x = value.name;
            f->values++;
        }
    }
    return true;
}

static dcnn_status match_gelu(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, bool *done, dcnn_onnx_value *out) {
    factors f = {.number = 1.0};
    *done = take_factors(r, node, 0, &f) && f.values == 1 && f.sums == 1 && is_about(f.number, 0.5) && f.x &&
            f.inside && strcmp(f.x, f.inside) == 0;
    if (!*done) return DCNN_OK;
    DCNN_TRY(dcnn_onnx_get(r, f.x, out));
    DCNN_TRY(dcnn_onnx_settle(r, node, out));
    return add_alike(r, node, "Activation", json_pack("{s:s}", "activation", "gelu"), false, out);
}

/* A LayerNormalization as it is written before opset 17, or by hand: (x - mean) / sqrt(mean of (x - mean)^2 + epsilon),
 * over the channels. Its weights may follow. */
static bool is_from_mean(const dcnn_onnx_reader *r, const dcnn_onnx_value *value, const char **x) {
    dcnn_onnx_value mean;
    if (!is_made_by(value, "Sub") || dcnn_onnx_input(r, value->made_by, 1, &mean) != DCNN_OK ||
        !is_made_by(&mean, "ReduceMean") || mean.made_by != mean.blame ||
        strcmp(value->made_by->input[0], mean.made_by->input[0]) != 0)
        return false;
    *x = value->made_by->input[0];
    return true;
}

/* The square of a value of that kind: x^2, or x x. */
static bool is_square(const dcnn_onnx_reader *r, const dcnn_onnx_value *value, dcnn_onnx_value *of) {
    dcnn_onnx_value other;
    double two = 0.0;
    if ((!is_made_by(value, "Pow") && !is_made_by(value, "Mul")) ||
        dcnn_onnx_input(r, value->made_by, 0, of) != DCNN_OK ||
        dcnn_onnx_input(r, value->made_by, 1, &other) != DCNN_OK)
        return false;
    return is_made_by(value, "Pow") ? is_number(&other, &two) && two == 2.0 : strcmp(other.name, of->name) == 0;
}

static dcnn_status match_normalization(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, bool *done,
                                       dcnn_onnx_value *out) {
    dcnn_onnx_value from_mean, root, sum, variance, epsilon, square, squared;
    const char *x = NULL, *again = NULL;
    double number = 0.0;
    *done = false;
    if (dcnn_onnx_input(r, node, 0, &from_mean) != DCNN_OK || dcnn_onnx_input(r, node, 1, &root) != DCNN_OK ||
        !is_from_mean(r, &from_mean, &x) || !is_made_by(&root, "Sqrt") ||
        dcnn_onnx_input(r, root.made_by, 0, &sum) != DCNN_OK || !is_made_by(&sum, "Add") ||
        dcnn_onnx_input(r, sum.made_by, 0, &variance) != DCNN_OK ||
        dcnn_onnx_input(r, sum.made_by, 1, &epsilon) != DCNN_OK || !is_number(&epsilon, &number) ||
        !is_made_by(&variance, "ReduceMean") || dcnn_onnx_input(r, variance.made_by, 0, &square) != DCNN_OK ||
        !is_square(r, &square, &squared) || !is_from_mean(r, &squared, &again) || strcmp(x, again) != 0)
        return DCNN_OK;
    *done = true;
    DCNN_TRY(dcnn_onnx_get(r, x, out));
    json_t *config = json_pack("{s:f, s:i, s:b, s:b}", "epsilon", number, "axis", -1, "center", 0, "scale", 0);
    return add_alike(r, node, "LayerNormalization", config, false, out);
}

/* Takes the weights behind it: a number for each channel. */
static bool takes_weights(const dcnn_onnx_reader *r, const dcnn_onnx_value *x, const dcnn_onnx_value *constant,
                          const char *key) {
    const json_t *config = x->layer ? dcnn_onnx_config(r, x->layer) : NULL;
    return (is_made_by(x, "Div") || (is_made_by(x, "Mul") && strcmp(key, "center") == 0)) && constant->floats &&
           constant->count == x->c && dcnn_onnx_uses(r, x->name) == 1 && json_object_get(config, "epsilon") &&
           json_is_false(json_object_get(config, key));
}

/* x sigmoid(x) */
static bool is_silu(const dcnn_onnx_value *x, const dcnn_onnx_value *y) {
    return is_made_by(y, "Sigmoid") && y->made_by->n_input == 1 && strcmp(y->made_by->input[0], x->name) == 0;
}

static bool is_one_of(const char *op, const char *a, const char *b) {
    return strcmp(op, a) == 0 || strcmp(op, b) == 0;
}

/* The numbers of a constant, one a channel or one for all. */
static dcnn_status list_channels(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const dcnn_onnx_value *x,
                                 const dcnn_onnx_value *constant, double **values, int *count) {
    *count = (int)constant->count;
    const int from_end = x->kind == ONNX_MAP ? 3 : 1; /* [c, 1, 1], or [c] */
    bool fits = constant->count == 1 || (constant->count == x->c && constant->rank >= from_end &&
                                         constant->dims[constant->rank - from_end] == x->c);
    if (!fits || constant->floats == NULL)
        return dcnn_onnx_refuse(r, node, "its constant is neither one number nor one a channel");
    *values = dcnn_onnx_keep(r, (size_t)constant->count, sizeof **values);
    if (*values == NULL) return DCNN_FAILURE;
    for (int i = 0; i < *count; i++) (*values)[i] = (double)constant->floats[i];
    return DCNN_OK;
}

static json_t *list_json(int count, const double *values) {
    if (count == 1) return json_real(values[0]);
    json_t *list = json_array();
    for (int i = 0; i < count; i++) json_array_append_new(list, json_real(values[i]));
    return list;
}

/* What is added to what a layer made without a bias is its bias. A constant without a use of its own. */
static bool takes_bias(const dcnn_onnx_reader *r, const dcnn_onnx_value *x, const dcnn_onnx_value *constant) {
    if (dcnn_onnx_uses(r, x->name) != 1 || constant->count != x->c || constant->floats == NULL) return false;
    if (!is_made_by(x, "MatMul") && !is_made_by(x, "Conv")) return false;
    return json_is_false(json_object_get(dcnn_onnx_config(r, x->layer), "use_bias"));
}

/* The Rescaling that a multiplication made takes the sum behind it. */
static bool takes_offset(const dcnn_onnx_reader *r, const dcnn_onnx_value *x) {
    json_t *config = dcnn_onnx_config(r, x->layer);
    return is_made_by(x, "Mul") && dcnn_onnx_uses(r, x->name) == 1 && json_object_get(config, "scale") &&
           json_real_value(json_object_get(config, "offset")) == 0.0 &&
           !json_is_array(json_object_get(config, "offset"));
}

enum { MOST_COLORS = 4 };

/* A number for each of so many channels is one that was learned: ConvNeXt's layer scale. */
static dcnn_status layer_scale(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const double *values,
                               dcnn_onnx_value *x) {
    float *gamma = dcnn_onnx_keep(r, (size_t)x->c, sizeof *gamma);
    if (gamma == NULL) return DCNN_FAILURE;
    for (int c = 0; c < x->c; c++) gamma[c] = (float)values[c];
    DCNN_TRY(add_alike(r, node, "LayerScale", json_pack("{s:i}", "projection_dim", x->c), false, x));
    return dcnn_onnx_weigh(r, x->layer, 0, gamma, (size_t)x->c);
}

/* x with a constant, on either side: scale x + offset. */
static dcnn_status with_constant(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value x,
                                 const dcnn_onnx_value *constant, bool constant_first, dcnn_onnx_value *out) {
    const char *op = node->op_type;
    double *values = NULL, one = 1.0, zero = 0.0;
    int count = 0;
    DCNN_TRY(dcnn_onnx_settle(r, node, &x));
    DCNN_TRY(list_channels(r, node, &x, constant, &values, &count));
    if (strcmp(op, "Div") == 0 && constant_first)
        return dcnn_onnx_refuse(r, node, "dcnn does not support division by a layer");
    for (int i = 0; i < count; i++) {
        if (strcmp(op, "Div") == 0) values[i] = 1.0 / values[i];
        if (strcmp(op, "Sub") == 0 && !constant_first) values[i] = -values[i];
        if (!isfinite(values[i])) return dcnn_onnx_refuse(r, node, "its constant would make values infinite");
    }
    *out = x;
    out->positive = false;
    if (strcmp(op, "Mul") == 0 && takes_weights(r, &x, constant, "scale")) {
        json_object_set_new(dcnn_onnx_config(r, x.layer), "scale", json_true());
        return dcnn_onnx_weigh(r, x.layer, 0, constant->floats, (size_t)count);
    }
    if (strcmp(op, "Add") == 0 && takes_weights(r, &x, constant, "center")) {
        const bool scaled = json_is_true(json_object_get(dcnn_onnx_config(r, x.layer), "scale"));
        json_object_set_new(dcnn_onnx_config(r, x.layer), "center", json_true());
        return dcnn_onnx_weigh(r, x.layer, scaled, constant->floats, (size_t)count);
    }
    if (strcmp(op, "Add") == 0 && takes_bias(r, &x, constant)) {
        json_object_set_new(dcnn_onnx_config(r, x.layer), "use_bias", json_true());
        return dcnn_onnx_weigh(r, x.layer, 1, constant->floats, (size_t)count);
    }
    const bool scales = is_one_of(op, "Mul", "Div");
    if (strcmp(op, "Mul") == 0 && count > MOST_COLORS) return layer_scale(r, node, values, out);
    if (is_one_of(op, "Add", "Sub") && !constant_first && takes_offset(r, &x)) {
        json_object_set_new(dcnn_onnx_config(r, x.layer), "offset", list_json(count, values));
        return DCNN_OK;
    }
    if (strcmp(op, "Sub") == 0 && constant_first) one = -1.0;
    json_t *config = json_pack("{s:o, s:o}", "scale", list_json(scales ? count : 1, scales ? values : &one), "offset",
                               list_json(scales ? 1 : count, scales ? &zero : values));
    return dcnn_onnx_add(r, node, "Rescaling", config, 1, &x, out);
}

/* Values of the same shape, as they lie; or a map times one number a channel. */
static dcnn_status merge(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const char *class_name,
                         dcnn_onnx_value *out) {
    dcnn_onnx_value values[DCNN_MAX_INPUTS];
    bool positive = strcmp(class_name, "Subtract") != 0, maps = false, last = true;
    int largest = 0;
    if (node->n_input < 1 || node->n_input > DCNN_MAX_INPUTS)
        return dcnn_onnx_refuse(r, node, "it has too many inputs");
    const int count = (int)node->n_input;
    for (int i = 0; i < count; i++) {
        DCNN_TRY(dcnn_onnx_input(r, node, (size_t)i, &values[i]));
        DCNN_TRY(dcnn_onnx_settle(r, node, &values[i]));
        maps = maps || values[i].kind == ONNX_MAP || values[i].kind == ONNX_LAST;
        last = last && values[i].kind == ONNX_LAST;
        positive = positive && values[i].positive;
    }
    for (int i = 0; i < count && maps && !last; i++) DCNN_TRY(dcnn_onnx_as_map(r, node, &values[i]));
    for (int i = 1; i < count; i++)
        if ((int64_t)values[i].h * values[i].w > (int64_t)values[largest].h * values[largest].w) largest = i;
    dcnn_onnx_value shape = values[largest]; /* axes of length 1 go with any */
    for (int i = 0; i < count; i++) {
        if (values[i].h > shape.h) shape.h = values[i].h;
        if (values[i].w > shape.w) shape.w = values[i].w;
        if (values[i].c > shape.c) shape.c = values[i].c;
    }
    DCNN_TRY(dcnn_onnx_add(r, node, class_name, json_object(), count, values, out));
    const char *layer = out->layer;
    *out = shape;
    out->layer = layer;
    out->positive = positive;
    return DCNN_OK;
}

/* A mean over channels is a map, but for what is subtracted from what it is the mean of. */
static dcnn_status settle_mean(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, int number, dcnn_onnx_value *mean,
                               const dcnn_onnx_value *other) {
    if (mean->kind != ONNX_OPEN || mean->made_by != mean->blame || !dcnn_onnx_is_mean(r, mean)) return DCNN_OK;
    const bool part = number == 1 && strcmp(node->op_type, "Sub") == 0 && other->name &&
                      strcmp(mean->made_by->input[0], other->name) == 0;
    return part ? DCNN_OK : dcnn_onnx_settle(r, node, mean);
}

static dcnn_status arithmetic(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    static const char *const classes[][2] = {{"Add", "Add"},     {"Sub", "Subtract"}, {"Mul", "Multiply"},
                                             {"Max", "Maximum"}, {"Min", "Minimum"},  {"Mean", "Average"},
                                             {"Sum", "Add"},     {"Div", NULL}};
    dcnn_onnx_value x, y;
    size_t row = 0;
    while (strcmp(classes[row][0], node->op_type) != 0) row++;
    DCNN_TRY(dcnn_onnx_input(r, node, 0, &x));
    if (node->n_input == 1) {
        *out = x;
        return DCNN_OK;
    }
    DCNN_TRY(dcnn_onnx_input(r, node, 1, &y));
    if (strcmp(node->op_type, "Mul") == 0) {
        bool done;
        DCNN_TRY(match_gelu(r, node, &done, out));
        if (done) return DCNN_OK;
        if (is_silu(&x, &y) || is_silu(&y, &x)) {
            *out = is_silu(&x, &y) ? x : y;
            DCNN_TRY(dcnn_onnx_settle(r, node, out));
            return add_alike(r, node, "Activation", json_pack("{s:s}", "activation", "silu"), false, out);
        }
    }
    if (strcmp(node->op_type, "Div") == 0) {
        bool done;
        DCNN_TRY(match_normalization(r, node, &done, out));
        if (done) return DCNN_OK;
    }
    DCNN_TRY(settle_mean(r, node, 0, &x, &y));
    DCNN_TRY(settle_mean(r, node, 1, &y, &x));
    if (x.kind == ONNX_OPEN || y.kind == ONNX_OPEN) { /* perhaps a part of something */
        *out = x.kind == ONNX_OPEN ? x : y;
        return DCNN_OK;
    }
    const bool first = x.kind == ONNX_CONSTANT, second = y.kind == ONNX_CONSTANT;
    if ((first != second) && (row == 3 || row == 4)) return with_bound(r, node, first ? y : x, first ? &x : &y, out);
    if ((first || second) && row > 2 && classes[row][1])
        return dcnn_onnx_refuse(r, node, "dcnn supports it only between layers, not with a constant");
    if (second || first) return with_constant(r, node, first ? y : x, first ? &x : &y, first, out);
    if (classes[row][1] == NULL) return dcnn_onnx_refuse(r, node, "dcnn does not support division by a layer");
    return merge(r, node, classes[row][1], out);
}

static dcnn_status neg(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    DCNN_TRY(dcnn_onnx_settled(r, node, out));
    return add_alike(r, node, "Rescaling", json_pack("{s:f, s:f}", "scale", -1.0, "offset", 0.0), false, out);
}

/* --- shapes ------------------------------------------------------------------------------------------------------- */

static dcnn_status identity(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    return dcnn_onnx_input(r, node, 0, out);
}

static dcnn_status dropout(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    double ratio = 0.5;
    DCNN_TRY(dcnn_onnx_settled(r, node, out));
    DCNN_TRY(dcnn_onnx_bound(r, node, 1, "ratio", &ratio));
    return add_alike(r, node, "Dropout", json_pack("{s:f}", "rate", ratio), out->positive, out);
}

/* To floats: what all values are. */
static dcnn_status cast(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    DCNN_TRY(dcnn_onnx_input(r, node, 0, out));
    if (dcnn_onnx_int_of(node, "to", 0) == ONNX_FLOAT || out->kind == ONNX_OPEN) return DCNN_OK;
    return dcnn_onnx_refuse(r, node, "dcnn computes only in float");
}

const dcnn_onnx_row dcnn_onnx_value_rows[] = {
    {"Relu", activation, ""},
    {"Sigmoid", activation, ""},
    {"Tanh", activation, ""},
    {"Selu", activation, "alpha gamma"},
    {"Softplus", activation, ""},
    {"Softsign", activation, ""},
    {"Exp", activation, ""},
    {"HardSwish", activation, ""},
    {"Mish", activation, ""},
    {"LeakyRelu", leaky_relu, "alpha"},
    {"Elu", elu, "alpha"},
    {"Celu", elu, "alpha"},
    {"ThresholdedRelu", thresholded_relu, "alpha"},
    {"HardSigmoid", hard_sigmoid, "alpha beta"},
    {"Gelu", gelu, "approximate"},
    {"Softmax", softmax, "axis"},
    {"LogSoftmax", softmax, "axis"},
    {"Clip", clip, "max min"},
    {"Where", where, ""},
    {"Neg", neg, ""},
    {"Add", arithmetic, ""},
    {"Sub", arithmetic, ""},
    {"Mul", arithmetic, ""},
    {"Div", arithmetic, ""},
    {"Max", arithmetic, ""},
    {"Min", arithmetic, ""},
    {"Mean", arithmetic, ""},
    {"Sum", arithmetic, ""},
    {"Identity", identity, ""},
    {"Dropout", dropout, "ratio seed"},
    {"Cast", cast, "to saturate"},
    {NULL, NULL, NULL},
};
