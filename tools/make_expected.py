#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Makes tests/expected/*.h5: what one training step of some nets must come to, in double precision, by numpy alone.

Nothing here is shared with dcnn but Keras' definitions: convolutions are loops over the filter, each layer's gradient is
written out (expected_nets.py; expected_optimizers.py). tests/test_expected.c compares dcnn's nets with these files.

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

optimizers.h5 holds twenty steps of each optimizer on one net, from moments of zero, and learning rates of each schedule:
  attributes    model_config (JSON), seed (of the weights), samples (of a step)
  KIND/LAYER/WEIGHT    at most 256 elements of the weight after the steps; step k's gradient (of the SUM of losses), whole
                net in Keras' order, is float32(96 u) with seed + 1 + k
  KIND's attributes    learning_rate (of the first step; a tenth more each step), weight_decay, momentum, trust_coefficient,
                beta_1, beta_2, epsilon
  schedule/NAME float64 [epochs * epoch_steps] rates from a rate of 1, of runs as the attributes tell (epochs, epoch_steps,
                warmup_epochs, decay_rate, decay_epochs)
"""

import gzip
import os
import struct
import sys

import h5py
import numpy as np

from expected_nets import (Activation, AveragePooling2D, BatchNormalization, Conv2D, Dense, Dropout, Flatten,
                           GlobalAveragePooling2D, Lcg, MaxPooling2D, Net, ReLU, Softmax, sampled)
from expected_optimizers import write_optimizers

ADAM = dict(learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-7)
STEP = 4
HERE = os.path.dirname(os.path.abspath(__file__))


# --- one step of a net -------------------------------------------------------------------------------------------------

def adam(value, gradient, m, v):
    m = ADAM["beta1"] * m + (1 - ADAM["beta1"]) * gradient
    v = ADAM["beta2"] * v + (1 - ADAM["beta2"]) * gradient**2
    alpha = ADAM["learning_rate"] * np.sqrt(1 - ADAM["beta2"]**STEP) / (1 - ADAM["beta1"]**STEP)
    return value - alpha * m / (np.sqrt(v) + ADAM["epsilon"])


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


def check_gradients(net, x, labels):
    """A net's gradients against differences of its loss: a mistake in both these files and dcnn would have to agree."""
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
