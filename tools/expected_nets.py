# SPDX-License-Identifier: BSD-3-Clause
"""Layers and nets of make_expected.py, forward and backward, by Keras' definitions, in double precision, by numpy alone."""

import json

import numpy as np

SAMPLED = 256


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


def sampled(values):
    """At most SAMPLED elements of a tensor, evenly."""
    values = values.reshape(-1)
    count = min(values.size, SAMPLED)
    return values[np.arange(count) * values.size // count]
