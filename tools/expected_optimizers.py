# SPDX-License-Identifier: BSD-3-Clause
"""Steps of each optimizer and rates of each schedule for make_expected.py, by their papers' formulas."""

import os

import h5py
import numpy as np

from expected_nets import BatchNormalization, Conv2D, Dense, Flatten, Lcg, Net, sampled

OPTIMIZERS = {"adam": dict(learning_rate=3e-3, weight_decay=0.05), "sgd": dict(learning_rate=0.03, weight_decay=0.02),
              "lars": dict(learning_rate=4.0, weight_decay=1e-3), "lamb": dict(learning_rate=0.02, weight_decay=0.03),
              "adamw": dict(learning_rate=2e-3, weight_decay=0.04), "nadam": dict(learning_rate=3e-3, weight_decay=0.02),
              "rmsprop": dict(learning_rate=2e-3, weight_decay=0.01), "lion": dict(learning_rate=1e-3, weight_decay=0.02),
              "muon": dict(learning_rate=2e-3, weight_decay=0.02)}
MOMENTUM, TRUST_COEFFICIENT, SAMPLES, STEPS = 0.9, 0.002, 48, 20
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
    if kind == "muon":
        m = MOMENTUM * m + g
        x = (g + MOMENTUM * m).T if w.shape[0] > w.shape[1] else g + MOMENTUM * m
        x = x / (norm(x) + 1e-7)
        for _ in range(5):
            a = x @ x.T
            x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
        x = x.T if w.shape[0] > w.shape[1] else x
        return w - rate * decay * w - rate * 0.2 * np.sqrt(max(w.shape)) * x, m, v
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
                matrix = w.ndim == 2 and layer is not trainable[-1][0]
                rule = "adamw" if kind == "muon" and not matrix else kind
                for k in range(STEPS):
                    w, m, v = optimizer_step(rule, w, gradients[k][i], m, v, k + 1,
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
