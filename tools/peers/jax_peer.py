# SPDX-License-Identifier: BSD-3-Clause
"""JAX in its fastest mode on CPUs: training with convolutions as one matrix product of patches and pooling as the
maximum of strided slices; inference with XLA's own convolution and pooling."""
import os

import common

o = common.options()
os.environ.update(JAX_PLATFORMS="cpu", NPROC=str(o.threads))
if o.threads == 1:
    os.environ["XLA_FLAGS"] = (
        os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    )
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax


def initial(key, shape, layers):
    parameters, moving, (h, w, c) = {}, {}, shape
    glorot = jax.nn.initializers.glorot_uniform()
    for i, (kind, *n) in enumerate(layers):
        key, own = jax.random.split(key)
        if kind == "conv":
            filters, kernel, stride, padding = n
            parameters[i] = (glorot(own, (kernel, kernel, c, filters)), jnp.zeros(filters))
            h, w = ((-(-s // stride) if padding == "same" else (s - kernel) // stride + 1) for s in (h, w))
            c = filters
        elif kind == "dense":
            parameters[i] = (glorot(own, (h * w * c, n[0])), jnp.zeros(n[0]))
            h, w, c = 1, 1, n[0]
        elif kind == "batch_norm":
            parameters[i], moving[i] = (jnp.ones(c), jnp.zeros(c)), (jnp.zeros(c), jnp.ones(c))
        elif kind in ("max_pool", "average_pool"):
            h, w = h // n[0], w // n[0]
        elif kind == "global_average":
            h = w = 1
    return parameters, moving


def convolve(x, w, stride, padding, training):
    if not training:
        return lax.conv_general_dilated(x, w, (stride, stride), padding.upper(), dimension_numbers=("NHWC", "HWIO", "NHWC"))
    kernel, _, c, filters = w.shape
    if padding == "same":
        total = [max((-(-s // stride) - 1) * stride + kernel - s, 0) for s in x.shape[1:3]]
        x = jnp.pad(x, ((0, 0), *((t // 2, t - t // 2) for t in total), (0, 0)))
    h, w_out = ((s - kernel) // stride + 1 for s in x.shape[1:3])
    slices = [
        x[:, i : i + (h - 1) * stride + 1 : stride, j : j + (w_out - 1) * stride + 1 : stride]
        for i in range(kernel)
        for j in range(kernel)
    ]
    patches = jnp.concatenate(slices, -1).reshape(-1, kernel * kernel * c)
    return (patches @ w.reshape(-1, filters)).reshape(x.shape[0], h, w_out, filters)


def max_pool(x, size, training):
    if not training:
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, size, size, 1), (1, size, size, 1), "VALID")
    h, w = (s // size * size for s in x.shape[1:3])
    slices = [x[:, i:h:size, j:w:size] for i in range(size) for j in range(size)]
    while len(slices) > 1:
        slices = [jnp.maximum(*slices[:2]), *slices[2:]]
    return slices[0]


def forward(parameters, moving, x, training):
    now = {}
    for i, (kind, *n) in enumerate(layers):
        if kind == "conv":
            x = convolve(x, parameters[i][0], n[2], n[3], training) + parameters[i][1]
        elif kind == "dense":
            x = x @ parameters[i][0] + parameters[i][1]
        elif kind == "max_pool":
            x = max_pool(x, n[0], training)
        elif kind == "average_pool":
            h, w = (s // n[0] * n[0] for s in x.shape[1:3])
            x = x[:, :h, :w].reshape(x.shape[0], h // n[0], n[0], w // n[0], n[0], -1).mean((2, 4))
        elif kind == "batch_norm":
            mean, variance = moving[i]
            if training:
                mean = x.mean((0, 1, 2))
                variance = (x * x).mean((0, 1, 2)) - mean * mean
                now[i] = tuple(0.99 * old + 0.01 * new for old, new in zip(moving[i], (mean, variance)))
            scale = lax.rsqrt(variance + 1e-3) * parameters[i][0]
            x = x * scale + (parameters[i][1] - mean * scale)
        elif kind == "global_average":
            x = x.mean((1, 2))
        elif kind == "flatten":
            x = x.reshape(x.shape[0], -1)
        else:
            x = jax.nn.relu(x) if kind == "relu" else jnp.tanh(x)
    return x, now


def loss_of(parameters, moving, x, y):
    logits, now = forward(parameters, moving, x, True)
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), now


@partial(jax.jit, donate_argnums=0)
def train_step(state, x, y):
    parameters, moving, moments = state
    (loss, moving), gradient = jax.value_and_grad(loss_of, has_aux=True)(parameters, moving, x, y)
    updates, moments = adam.update(gradient, moments, parameters)
    return (optax.apply_updates(parameters, updates), moving, moments), loss


@jax.jit
def classify(parameters, moving, x):
    return forward(parameters, moving, x, False)[0].argmax(1)


shape, layers = common.net(o)
x, y = common.pictures(o, shape)
y = y.astype(np.int32)
adam = optax.adam(1e-3, eps=1e-7)
parameters, moving = initial(jax.random.PRNGKey(0), shape, layers)
state, last = (parameters, moving, adam.init(parameters)), None
batches = common.Batches(o, len(x))


def train():
    global state, last
    batch = batches.next()
    state, loss = train_step(state, x[batch], y[batch])
    last = float(loss)


def infer():
    return int(classify(state[0], state[1], x[batches.next()])[0])


trained = common.measure(o, train, 0.7 * o.seconds)
common.report("JAX " + jax.__version__, trained, common.measure(o, infer, 0.3 * o.seconds), last)
