#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Makes tests/expected/*.h5: what one training step of some nets must come to, in double precision, by numpy alone.

Nothing here is shared with dcnn but Keras' definitions: convolutions are loops over the filter, each layer's gradient is
written out. tests/test_expected.c compares dcnn's nets with these files.

    tools/make_expected.py [FOLDER]          (needs numpy and h5py; FOLDER is tests/expected if left out)

A file holds, for one net, n samples and one Adam step from given moments:
  attributes    model_config (JSON), seed (of the weights), step (Adam's, the first is 1), loss_sum, correct
  inputs        float32 [n, ...]; labels int32 [n]
  center,scale  float64 [weights]: weight k is float32(center + scale u), u the next of a linear congruential generator,
                in Keras' order of weights (layer by layer, trainable before not trainable)
  probabilities [n, classes] in training; inference [n, classes] with the moving statistics, before the step
  gradient/LAYER/WEIGHT, after/LAYER/WEIGHT  at most 256 elements, number i being element floor(i count / 256): the
                gradient of the SUM of losses, and the weight after the step
  totals/LAYER/WEIGHT  [4] of the whole gradient: norm, largest magnitude, sum of g and of g ((i 7919 mod 1009) / 1009 - 1/2)
  state/LAYER/WEIGHT   moving statistics after the step, whole

optimizers.h5 holds three steps of each optimizer on one net, from moments of zero, and learning rates of each schedule:
  attributes    model_config (JSON), seed (of the weights), samples (of a step)
  KIND/LAYER/WEIGHT    at most 256 elements of the weight after the steps; step k's gradient (of the SUM of losses), whole
                net in Keras' order, is float32(96 u) with seed + 1 + k
  KIND's attributes    learning_rate (of the first step; a tenth more each step), weight_decay, momentum, trust_coefficient,
                beta_1, beta_2, epsilon
  schedule/NAME float64 [epochs * epoch_steps] rates from a rate of 1, of runs as the attributes tell (epochs, epoch_steps,
                warmup_epochs, decay_rate, decay_epochs)
"""

import json
import os
import struct
import sys
import gzip

import h5py
import numpy as np

SAMPLED = 256
ADAM = dict(learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-7)
STEP = 4
HERE = os.path.dirname(os.path.abspath(__file__))


# --- weights by formula: Knuth's MMIX generator -------------------------------------------------------------------------

class Lcg:
    def __init__(self, seed):
        self.state = seed

    def __call__(self, count):
        state, values = self.state, np.empty(count)
        for i in range(count):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            values[i] = (state >> 11) * 2.0**-52 - 1.0
        self.state = state
        return values


# --- layers: each is built for an input shape, and keeps what its backward pass needs -----------------------------------

class Layer:
    synchronised = False

    def __init__(self, **config):
        self.config = config
        self.weights = {}  # name: (shape, trainable, center, scale)
        self.gradients = {}

    def build(self, shape):
        return shape

    def forward(self, x, training):
        return x

    def backward(self, dy):
        return dy


def activate(name, z):
    if name == "relu":
        return np.maximum(z, 0.0)
    if name == "tanh":
        return np.tanh(z)
    if name == "sigmoid":
        return 1.0 / (1.0 + np.exp(-z))
    if name == "softmax":
        e = np.exp(z - z.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)
    return z


def deactivate(name, z, y, dy):
    if name == "relu":
        return dy * (z > 0.0)
    if name == "tanh":
        return dy * (1.0 - y * y)
    if name == "sigmoid":
        return dy * y * (1.0 - y)
    if name == "softmax":
        return y * (dy - (dy * y).sum(axis=-1, keepdims=True))
    return dy


class InputLayer(Layer):
    pass


class Flatten(Layer):
    def build(self, shape):
        return (int(np.prod(shape)),)

    def forward(self, x, training):
        self.shape = x.shape
        return x.reshape(x.shape[0], -1)

    def backward(self, dy):
        return dy.reshape(self.shape)


class Dropout(Layer):
    """Only rate 0: nothing is dropped."""


class Activation(Layer):
    def kind(self):
        return self.config["activation"]

    def forward(self, x, training):
        self.z, self.y = x, activate(self.kind(), x)
        return self.y

    def backward(self, dy):
        return deactivate(self.kind(), self.z, self.y, dy)


class ReLU(Activation):
    def kind(self):
        return "relu"


class Softmax(Activation):
    def kind(self):
        return "softmax"


def pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


class Window(Layer):
    """What convolution and pooling share: the window's places, and the padding by TensorFlow's definition."""

    def place(self, shape, size, stride, padding):
        self.size, self.stride, self.pad, out = size, stride, [], []
        for length, window, step in zip(shape[:2], size, stride):
            if padding == "same":
                count = -(-length // step)
                missing = max((count - 1) * step + window - length, 0)
                self.pad.append((missing // 2, missing - missing // 2))
            else:
                count = (length - window) // step + 1
                self.pad.append((0, 0))
            out.append(count)
        self.out = tuple(out)

    def padded(self, x, value):
        return np.pad(x, [(0, 0), *self.pad, (0, 0)], constant_values=value)

    def cells(self, x, r, s):
        """The view of padded x that window element (r, s) sees, over all outputs."""
        h, w = self.out
        return x[:, r:r + (h - 1) * self.stride[0] + 1:self.stride[0], s:s + (w - 1) * self.stride[1] + 1:self.stride[1]]

    def elements(self):
        return [(r, s) for r in range(self.size[0]) for s in range(self.size[1])]

    def unpadded(self, x, shape):
        (top, _), (left, _) = self.pad
        return x[:, top:top + shape[1], left:left + shape[2]]


class Conv2D(Window):
    def build(self, shape):
        c = self.config
        size, k = pair(c["kernel_size"]), c["filters"]
        self.place(shape, size, pair(c.get("strides", 1)), c.get("padding", "valid"))
        fan = size[0] * size[1] * (shape[2] + k)
        self.weights["kernel"] = ((*size, shape[2], k), True, 0.0, np.sqrt(6.0 / fan))
        if c.get("use_bias", True):
            self.weights["bias"] = ((k,), True, 0.0, 0.1)
        return (*self.out, k)

    def forward(self, x, training):
        self.shape, self.x = x.shape, self.padded(x, 0.0)
        w = self.values["kernel"]
        self.z = sum(np.tensordot(self.cells(self.x, r, s), w[r, s], 1) for r, s in self.elements())
        self.z = self.z + self.values.get("bias", 0.0)
        self.y = activate(self.config.get("activation", "linear"), self.z)
        return self.y

    def backward(self, dy):
        dz = deactivate(self.config.get("activation", "linear"), self.z, self.y, dy)
        w = self.values["kernel"]
        dw, dx = np.zeros_like(w), np.zeros_like(self.x)
        for r, s in self.elements():
            dw[r, s] = np.tensordot(self.cells(self.x, r, s), dz, ([0, 1, 2], [0, 1, 2]))
            self.cells(dx, r, s)[...] += np.tensordot(dz, w[r, s].T, 1)
        self.gradients["kernel"] = dw
        if "bias" in self.values:
            self.gradients["bias"] = dz.sum(axis=(0, 1, 2))
        return self.unpadded(dx, self.shape)


class MaxPooling2D(Window):
    def build(self, shape):
        size = pair(self.config.get("pool_size", 2))
        self.place(shape, size, pair(self.config.get("strides", size)), self.config.get("padding", "valid"))
        return (*self.out, shape[2])

    def forward(self, x, training):
        self.shape, padded = x.shape, self.padded(x, -np.inf)
        self.all = np.stack([self.cells(padded, r, s) for r, s in self.elements()])
        self.winner = self.all.argmax(axis=0)
        return self.all.max(axis=0)

    def backward(self, dy):
        dx = np.zeros_like(self.padded(np.zeros(self.shape), 0.0))
        for i, (r, s) in enumerate(self.elements()):
            self.cells(dx, r, s)[...] += dy * (self.winner == i)
        return self.unpadded(dx, self.shape)


class AveragePooling2D(MaxPooling2D):
    def forward(self, x, training):
        self.shape, padded = x.shape, self.padded(x, 0.0)
        ones = self.padded(np.ones_like(x), 0.0)
        self.count = sum(self.cells(ones, r, s) for r, s in self.elements())
        return sum(self.cells(padded, r, s) for r, s in self.elements()) / self.count

    def backward(self, dy):
        dx = np.zeros_like(self.padded(np.zeros(self.shape), 0.0))
        for r, s in self.elements():
            self.cells(dx, r, s)[...] += dy / self.count
        return self.unpadded(dx, self.shape)


class GlobalAveragePooling2D(Layer):
    def build(self, shape):
        return shape[2:]

    def forward(self, x, training):
        self.shape = x.shape
        return x.mean(axis=(1, 2))

    def backward(self, dy):
        return np.broadcast_to(dy[:, None, None] / (self.shape[1] * self.shape[2]), self.shape)


class BatchNormalization(Layer):
    def build(self, shape):
        c = shape[-1:]
        if self.config.get("scale", True):
            self.weights["gamma"] = (c, True, 1.0, 0.4)
        if self.config.get("center", True):
            self.weights["beta"] = (c, True, 0.0, 0.3)
        self.weights["moving_mean"] = (c, False, 0.1, 0.3)
        self.weights["moving_variance"] = (c, False, 1.0, 0.5)
        return shape

    def forward(self, x, training):
        axes = tuple(range(x.ndim - 1))
        mean, variance = self.values["moving_mean"], self.values["moving_variance"]
        if training:
            mean, variance = x.mean(axis=axes), x.var(axis=axes)
            m = self.config.get("momentum", 0.99)
            self.moved = {"moving_mean": self.values["moving_mean"] * m + mean * (1 - m),
                          "moving_variance": self.values["moving_variance"] * m + variance * (1 - m)}
        self.inverse = 1.0 / np.sqrt(variance + self.config.get("epsilon", 1e-3))
        self.xhat = (x - mean) * self.inverse
        return self.xhat * self.values.get("gamma", 1.0) + self.values.get("beta", 0.0)

    def backward(self, dy):
        axes = tuple(range(dy.ndim - 1))
        if "gamma" in self.values:
            self.gradients["gamma"] = (dy * self.xhat).sum(axis=axes)
        if "beta" in self.values:
            self.gradients["beta"] = dy.sum(axis=axes)
        dxhat = dy * self.values.get("gamma", 1.0)
        return self.inverse * (dxhat - dxhat.mean(axis=axes) - self.xhat * (dxhat * self.xhat).mean(axis=axes))


class Dense(Layer):
    def build(self, shape):
        units = self.config["units"]
        self.weights["kernel"] = ((shape[0], units), True, 0.0, np.sqrt(6.0 / (shape[0] + units)))
        if self.config.get("use_bias", True):
            self.weights["bias"] = ((units,), True, 0.0, 0.1)
        return (units,)

    def forward(self, x, training):
        self.x = x
        self.z = x @ self.values["kernel"] + self.values.get("bias", 0.0)
        self.y = activate(self.config.get("activation", "linear"), self.z)
        return self.y

    def backward(self, dy):
        dz = deactivate(self.config.get("activation", "linear"), self.z, self.y, dy)
        self.gradients["kernel"] = self.x.T @ dz
        if "bias" in self.values:
            self.gradients["bias"] = dz.sum(axis=0)
        return dz @ self.values["kernel"].T


# --- a net and one step of it --------------------------------------------------------------------------------------------

class Net:
    def __init__(self, shape, layers):
        self.layers, self.input = layers, shape
        self.tensors = []  # (layer, name)
        for number, layer in enumerate(layers):
            layer.config.setdefault("name", "layer%d" % (number + 1))
            shape = layer.build(shape)
            self.tensors += [(layer, name) for name in layer.weights]

    def initialise(self, seed):
        random = Lcg(seed)
        for layer in self.layers:
            layer.values = {}
            for name, (shape, _, center, scale) in layer.weights.items():
                values = (center + scale * random(int(np.prod(shape)))).astype(np.float32)
                layer.values[name] = values.astype(np.float64).reshape(shape)

    def forward(self, x, training):
        for layer in self.layers:
            x = layer.forward(x, training)
        return x

    def backward(self, dy):
        for layer in reversed(self.layers):
            dy = layer.backward(dy)

    def describe(self):
        first = {"class_name": "InputLayer", "config": {"name": "input", "batch_shape": [None, *self.input]}}
        rest = [{"class_name": type(l).__name__, "config": l.config} for l in self.layers]
        return json.dumps({"class_name": "Sequential", "config": {"name": "expected", "layers": [first, *rest]}})

    def margin(self):
        """The smallest distance of any ReLU from its corner and of any maximum from the next, after a forward pass: what
        rounding must not cross. Exact ties do not count: they come from equal inputs, and have equal gradients."""
        smallest = np.inf
        for layer in self.layers:
            relu = layer.config.get("activation") == "relu" or isinstance(layer, ReLU)
            if relu:
                smallest = min(smallest, np.abs(layer.z[layer.z != 0.0]).min())
            if type(layer) is MaxPooling2D:
                ordered = np.sort(layer.all, axis=0)
                gap = (ordered[-1] - ordered[-2])[ordered[-1] > 0.0]
                smallest = min(smallest, gap[gap > 1e-12].min())
        return smallest


def adam(value, gradient, m, v):
    m = ADAM["beta1"] * m + (1 - ADAM["beta1"]) * gradient
    v = ADAM["beta2"] * v + (1 - ADAM["beta2"]) * gradient**2
    alpha = ADAM["learning_rate"] * np.sqrt(1 - ADAM["beta2"]**STEP) / (1 - ADAM["beta1"]**STEP)
    return value - alpha * m / (np.sqrt(v) + ADAM["epsilon"])


def sampled(values):
    values = values.reshape(-1)
    count = min(values.size, SAMPLED)
    return values[np.arange(count) * values.size // count]


def totals(g):
    g = g.reshape(-1)
    i = np.arange(g.size, dtype=np.int64)
    return np.array([np.sqrt((g * g).sum()), np.abs(g).max(), g.sum(), (g * ((i * 7919 % 1009) / 1009 - 0.5)).sum()])


def steadiest_seed(net, x, seeds):
    """The seed whose net is farthest from any decision that rounding could turn."""
    best = (-1.0, 0)
    for seed in seeds:
        net.initialise(seed)
        net.forward(x, True)
        best = max(best, (net.margin(), seed))
    print("  margin %.2g with seed %d" % best)
    return best[1]


def write(folder, name, net, inputs, labels, seeds):
    print(name)
    x, rows = inputs.astype(np.float64), np.arange(len(labels))
    seed = steadiest_seed(net, x, seeds)
    net.initialise(seed)
    inference = net.forward(x, False)
    probabilities = net.forward(x, True)
    loss_sum = -np.log(probabilities[rows, labels]).sum()
    onehot = np.eye(probabilities.shape[1])[labels]
    net.backward(-onehot / probabilities)
    with h5py.File(os.path.join(folder, name + ".h5"), "w") as f:
        f.attrs["model_config"] = net.describe()
        f.attrs["seed"], f.attrs["step"], f.attrs["loss_sum"] = np.int64(seed), np.int64(STEP), loss_sum
        f.attrs["correct"] = np.int64((probabilities.argmax(axis=1) == labels).sum())
        f["inputs"], f["labels"] = inputs, labels.astype(np.int32)
        f["center"] = [layer.weights[weight][2] for layer, weight in net.tensors]
        f["scale"] = [layer.weights[weight][3] for layer, weight in net.tensors]
        f["probabilities"], f["inference"] = probabilities, inference
        random_m, random_v = Lcg(seed + 1), Lcg(seed + 2)
        for layer, weight in net.tensors:
            shape, trainable, _, _ = layer.weights[weight]
            where = "%s/%s" % (layer.config["name"], weight)
            if not trainable:
                f["state/" + where] = layer.moved[weight]
                continue
            count = int(np.prod(shape))
            m = (0.02 * random_m(count)).astype(np.float32).astype(np.float64).reshape(shape)
            v = (4e-4 + 3e-4 * random_v(count)).astype(np.float32).astype(np.float64).reshape(shape)
            gradient = layer.gradients[weight]
            f["gradient/" + where] = sampled(gradient)
            f["totals/" + where] = totals(gradient)
            f["after/" + where] = sampled(adam(layer.values[weight], gradient / len(labels), m, v))


# --- optimizers and schedules, by their papers' formulas -----------------------------------------------------------------

OPTIMIZERS = {"adam": dict(learning_rate=3e-3, weight_decay=0.05), "sgd": dict(learning_rate=0.03, weight_decay=0.02),
              "lars": dict(learning_rate=4.0, weight_decay=1e-3), "lamb": dict(learning_rate=0.02, weight_decay=0.03),
              "adamw": dict(learning_rate=2e-3, weight_decay=0.04), "nadam": dict(learning_rate=3e-3, weight_decay=0.02),
              "rmsprop": dict(learning_rate=2e-3, weight_decay=0.01), "lion": dict(learning_rate=1e-3, weight_decay=0.02)}
MOMENTUM, TRUST_COEFFICIENT, SAMPLES, STEPS = 0.9, 0.002, 48, 3
BETA1, BETA2, EPSILON = 7 / 8, 63 / 64, 1e-6  # exact in float, and so are 1 - BETA1 and 1 - BETA2


def norm(x):
    return np.sqrt((x * x).sum())


def optimizer_step(kind, w, g, m, v, t, rate, decay):
    """The weights and moments after step t. Biases, gammas and betas: no decay, no ratio."""
    adapts = w.ndim > 1
    decay = decay if adapts else 0.0
    if kind == "rmsprop":  # as dcnn keeps them: m the squares, v the momentum
        m = BETA2 * m + (1 - BETA2) * g**2
        v = MOMENTUM * v + rate * g / np.sqrt(m + EPSILON)
        return w - rate * decay * w - v, m, v
    if kind == "lion":
        w = w - rate * decay * w - rate * np.sign(BETA1 * m + (1 - BETA1) * g)
        return w, BETA2 * m + (1 - BETA2) * g, v
    if kind == "nadam":
        u = [BETA1 * (1 - 0.5 * 0.96**(i + 1)) for i in range(t + 1)]
        m, v = BETA1 * m + (1 - BETA1) * g, BETA2 * v + (1 - BETA2) * g**2
        ahead = u[t] * m / (1 - np.prod(u)) + (1 - u[t - 1]) * g / (1 - np.prod(u[:t]))
        return w - rate * decay * w - rate * ahead / (np.sqrt(v / (1 - BETA2**t)) + EPSILON), m, v
    if kind in ("adam", "adamw", "lamb"):
        m = BETA1 * m + (1 - BETA1) * g
        v = BETA2 * v + (1 - BETA2) * g**2
    if kind in ("adam", "adamw"):
        alpha = rate * np.sqrt(1 - BETA2**t) / (1 - BETA1**t)
        return w - rate * decay * w - alpha * m / (np.sqrt(v) + EPSILON), m, v
    if kind == "lamb":
        u = m / (1 - BETA1**t) / (np.sqrt(v / (1 - BETA2**t)) + EPSILON) + decay * w
        return w - rate * (norm(w) / norm(u) if adapts and norm(w) * norm(u) > 0 else 1.0) * u, m, v
    if kind == "lars" and adapts:
        ratio = TRUST_COEFFICIENT * norm(w) / (norm(g) + decay * norm(w)) if norm(w) * norm(g) > 0 else 1.0
        m = MOMENTUM * m - rate * ratio * (g + decay * w)
        return w + m, m, v
    m = MOMENTUM * m - rate * g
    return w - rate * decay * w + m, m, v


def cosine(s, steps):
    return 0.5 * (1 + np.cos(np.pi * s / steps))


def one_cycle(s, steps):
    """PyTorch's OneCycleLR: pct_start 0.3, div_factor 25, final_div_factor 1e4, cos."""
    start, peak = 1 / 25, 0.3 * steps - 1
    end = start / 1e4
    if s <= peak:
        return 1 + (start - 1) * 0.5 * (1 + np.cos(np.pi * s / peak))
    return end + (1 - end) * 0.5 * (1 + np.cos(np.pi * (s - peak) / (steps - 1 - peak)))


def write_optimizers(folder):
    print("optimizers")
    net = Net((6, 6, 2), [Conv2D(filters=5, kernel_size=3), BatchNormalization(), Flatten(), Dense(units=90),
                          Dense(units=11, activation="softmax", use_bias=False)])
    seed = 7
    net.initialise(seed)
    gradients, trainable = [], [(l, name) for l, name in net.tensors if l.weights[name][1]]
    for k in range(STEPS):
        random = Lcg(seed + 1 + k)
        gradients.append([(96 * random(l.values[name].size)).astype(np.float32).astype(np.float64).reshape(
            l.values[name].shape) / SAMPLES for l, name in trainable])
    with h5py.File(os.path.join(folder, "optimizers.h5"), "w") as f:
        f.attrs["model_config"], f.attrs["seed"], f.attrs["samples"] = net.describe(), np.int64(seed), np.int64(SAMPLES)
        f["center"] = [layer.weights[weight][2] for layer, weight in net.tensors]
        f["scale"] = [layer.weights[weight][3] for layer, weight in net.tensors]
        for kind, settings in OPTIMIZERS.items():
            group = f.create_group(kind)
            group.attrs.update(settings, momentum=MOMENTUM, trust_coefficient=TRUST_COEFFICIENT, beta_1=BETA1,
                               beta_2=BETA2, epsilon=EPSILON)
            for i, (layer, name) in enumerate(trainable):
                w = layer.values[name]
                m = v = np.zeros_like(w)
                for k in range(STEPS):
                    w, m, v = optimizer_step(kind, w, gradients[k][i], m, v, k + 1,
                                             settings["learning_rate"] * (1 + 0.1 * k), settings["weight_decay"])
                group["%s/%s" % (layer.config["name"], name)] = sampled(w)
        runs = {"constant": (4, 3, 0.0), "cosine": (5, 7, 1.6), "step": (9, 4, 1.0), "exponential": (6, 5, 0.0),
                "one-cycle": (6, 10, 0.0)}
        for name, (epochs, epoch_steps, warmup_epochs) in runs.items():
            warmup, decay_rate, decay_epochs = round(warmup_epochs * epoch_steps), 0.2, 2.5
            left = epochs * epoch_steps - warmup
            after = {"constant": lambda s: 1.0, "cosine": lambda s: cosine(s, left),
                     "step": lambda s: decay_rate**(s // (epoch_steps * decay_epochs)),
                     "exponential": lambda s: decay_rate**(s / epoch_steps / decay_epochs),
                     "one-cycle": lambda s: one_cycle(s, left)}[name]
            f["schedule/" + name] = [(s + 1) / warmup if s < warmup else after(s - warmup)
                                     for s in range(epochs * epoch_steps)]
            f["schedule/" + name].attrs.update(warmup_epochs=warmup_epochs, decay_rate=decay_rate,
                                               decay_epochs=decay_epochs, epochs=np.int64(epochs),
                                               epoch_steps=np.int64(epoch_steps))


def check_gradients(net, x, labels):
    """The gradients above against differences of the loss: a mistake in both this file and dcnn would have to agree."""
    rows = np.arange(len(labels))

    def loss():
        return -np.log(net.forward(x, True)[rows, labels]).sum()

    p = net.forward(x, True)
    net.backward(-np.eye(p.shape[1])[labels] / p)
    saved = [(layer, weight, layer.gradients[weight].copy()) for layer, weight in net.tensors if weight in layer.gradients]
    worst = 0.0
    for layer, weight, gradient in saved:
        value = layer.values[weight].reshape(-1)
        for i in range(0, value.size, max(1, value.size // 7)):
            kept, h = value[i], 1e-6
            value[i] = kept + h
            up = loss()
            value[i] = kept - h
            down = loss()
            value[i] = kept
            error = abs((up - down) / (2 * h) - gradient.reshape(-1)[i]) / max(np.abs(gradient).max(), 1e-3)
            worst = max(worst, error)
            if not error < 1e-5:
                raise SystemExit("%s/%s[%d]: gradient %g, difference %g" % (
                    layer.config["name"], weight, i, gradient.reshape(-1)[i], (up - down) / (2 * h)))
    print("  gradients against differences: %.1e of the largest" % worst)


# --- the nets -------------------------------------------------------------------------------------------------------------

def digits(count):
    """The first digits of the embedded training set, standardised as the recipe would."""
    folder = os.path.join(HERE, "..", "data", "mnist")
    with gzip.open(os.path.join(folder, "train-images-idx3-ubyte.gz")) as f:
        _, _, h, w = struct.unpack(">4i", f.read(16))
        images = np.frombuffer(f.read(count * h * w), np.uint8).reshape(count, h, w, 1)
    with gzip.open(os.path.join(folder, "train-labels-idx1-ubyte.gz")) as f:
        f.read(8)
        labels = np.frombuffer(f.read(count), np.uint8)
    return ((images / 255.0 - 0.1307) / 0.3081).astype(np.float32), labels


def every_layer():
    return Net((13, 11, 2), [
        Conv2D(filters=5, kernel_size=3, activation="relu"), MaxPooling2D(pool_size=2), BatchNormalization(),
        Conv2D(filters=6, kernel_size=3, strides=2, padding="same"), Activation(activation="tanh"),
        BatchNormalization(center=False, momentum=0.9, epsilon=0.01),
        AveragePooling2D(pool_size=2, strides=1, padding="same"),
        Conv2D(filters=4, kernel_size=[2, 1], padding="same", use_bias=False, activation="sigmoid"), Flatten(),
        Dense(units=7, activation="tanh"), Dropout(rate=0.0), Dense(units=6, activation="sigmoid", use_bias=False),
        BatchNormalization(scale=False), Dense(units=5, activation="softmax")])


def pooled():
    return Net((12, 15, 3), [
        Conv2D(filters=8, kernel_size=[3, 2], strides=[1, 2]), ReLU(),
        MaxPooling2D(pool_size=3, strides=2, padding="same"), BatchNormalization(),
        Conv2D(filters=16, kernel_size=3, padding="same", activation="relu"), MaxPooling2D(pool_size=2),
        GlobalAveragePooling2D(), Dense(units=4), Softmax()])


def recipe():
    block = lambda filters: [Conv2D(filters=filters, kernel_size=3, activation="relu"), MaxPooling2D(pool_size=2),
                             BatchNormalization()]
    return Net((28, 28, 1), [*block(64), *block(128), *block(256), Flatten(), Dense(units=512, activation="relu"),
                             Dense(units=10, activation="softmax")])


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "..", "tests", "expected")
    write_optimizers(folder)
    random = np.random.default_rng(20)
    for name, net, n, classes in [("every_layer", every_layer(), 21, 5), ("pooled", pooled(), 18, 4)]:
        inputs = random.normal(size=(n, *net.input)).astype(np.float32)
        labels = random.integers(0, classes, n)
        write(folder, name, net, inputs, labels, range(1, 41))
        check_gradients(net, inputs.astype(np.float64), labels)
    write(folder, "digits", recipe(), *digits(6), range(1, 41))


main()
