# SPDX-License-Identifier: BSD-3-Clause
"""Records what tests/test_keras_steps.c compares with: small nets trained by real Keras for 20 steps, with each loss,
optimizer, regularizer and constraint. By hand, with Keras 3: python tools/record_steps.py [FILE [CASE...]]

FILE is tests/expected/keras_steps.h5 if left out; CASEs, "net/chain" say, are recorded anew. A group a case holds
  attributes    model_config, optimizer and loss (JSON, as Keras writes them); batch; exclude, from weight decay, if
                not as dcnn does
  labels        int32 [n], or targets float32 [n, outputs]
  outputs       [n, outputs] of the weights before, at inference
  losses        [20] of the steps, each on the next `batch` samples, from the first again behind the last
  before/LAYER  all weights of a layer, flat, in Keras' order; after/LAYER likewise, behind the 20 steps; average/LAYER
                with use_ema, the averages in place of the weights they are of
and random/LAYER, see record_random(); and x/SHAPE the samples float32 [n, ...] of all nets with that input.
"""
import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
import h5py
import keras
import numpy as np
from keras import constraints as C
from keras import layers as L
from keras import losses, ops
from keras import optimizers as O
from keras import regularizers as R
from keras.src.applications.convnext import LayerScale, StochasticDepth
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

FILE = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..", "tests", "expected",
                                                          "keras_steps.h5")
SAMPLES, BATCH, STEPS, CLASSES = 24, 8, 20, 3


# --- nets ---------------------------------------------------------------------------------------------------------------

def chain(units=CLASSES, activation="softmax", conv=None, dense=None, norm=None, frozen=False):
    """The smallest net with each kind of weight; rules by keywords."""
    model = keras.Sequential([
        keras.Input((8, 8, 2)),
        L.Conv2D(4, 3, activation="tanh", name="conv", **(conv or {})),
        L.AveragePooling2D(2, name="pool"),
        L.Conv2D(4, 2, use_bias=False, name="second"),
        L.BatchNormalization(momentum=0.9, name="norm", **(norm or {})),
        L.Flatten(name="flat"),
        L.Dense(6, activation="tanh", name="hidden", **(dense or {})),
        L.Dense(units, activation=activation, name="last"),
    ])
    model.get_layer("conv").trainable = not frozen
    return model


def residual():
    x = start = keras.Input((8, 8, 3), name="picture")
    x = skip = L.Conv2D(6, 3, padding="same", activation="tanh", name="stem")(x)
    for i in range(2):
        x = L.Conv2D(6, 3, padding="same", use_bias=False, name=f"a{i}")(x)
        x = L.BatchNormalization(momentum=0.9, name=f"na{i}")(x)
        x = L.Activation("silu", name=f"ra{i}")(x)
        x = L.Conv2D(6, 3, padding="same", use_bias=False, name=f"b{i}")(x)
        x = L.BatchNormalization(momentum=0.9, name=f"nb{i}")(x)
        x = skip = L.Add(name=f"add{i}")([x, skip])
    x = L.GlobalAveragePooling2D(name="mean")(x)
    return keras.Model(start, L.Dense(CLASSES, activation="softmax", name="last")(x), name="residual")


def depthwise():
    x = start = keras.Input((8, 8, 3), name="picture")
    x = L.Conv2D(6, 3, strides=2, padding="same", use_bias=False, name="stem")(x)
    for i in range(2):
        x = L.BatchNormalization(momentum=0.9, name=f"n{i}")(x)
        x = L.Activation("tanh", name=f"r{i}")(x)
        x = L.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"depth{i}")(x)
        x = L.BatchNormalization(momentum=0.9, name=f"m{i}")(x)
        x = L.Activation("silu", name=f"s{i}")(x)
        x = L.Conv2D(8, 1, use_bias=False, name=f"point{i}")(x)
    x = L.LayerNormalization(name="layer_norm")(x)
    x = L.GlobalAveragePooling2D(keepdims=True, name="mean")(x)
    gate = L.Dense(8, activation="sigmoid", name="gate")(x)
    x = L.Flatten(name="flat")(L.Multiply(name="scale")([x, gate]))
    return keras.Model(start, L.Dense(CLASSES, activation="softmax", name="last")(x), name="depthwise")


def others():
    """The layers that the two nets above do not have."""
    x = start = keras.Input((9, 7, 3), name="picture")
    x = L.Rescaling(0.9, offset=0.05, name="rescale")(x)
    x = L.ZeroPadding2D(((1, 0), (1, 2)), name="pad")(x)
    x = L.SeparableConv2D(6, 3, padding="same", activation="tanh", name="separable")(x)
    x = L.GroupNormalization(groups=3, name="group_norm")(x)
    x = L.PReLU(shared_axes=[1, 2], alpha_initializer="ones", name="slope")(x)
    x = L.Conv2DTranspose(4, 3, strides=2, padding="same", activation="elu", name="transpose")(x)
    x = L.Cropping2D(((2, 1), (1, 1)), name="crop")(x)
    x = L.Conv2D(6, 3, dilation_rate=2, activation="gelu", name="dilated")(x)
    x = L.Conv2D(6, 3, groups=3, padding="same", activation="softplus", name="grouped")(x)
    x = L.UpSampling2D((1, 2), name="up")(x)
    x = L.Resizing(9, 7, name="resize")(x)
    x = L.UpSampling2D((1, 2), interpolation="bilinear", name="smooth_up")(x)
    x = L.Conv2DTranspose(6, 3, strides=2, output_padding=1, activation="tanh", name="padded")(x)
    x = L.Conv2DTranspose(6, 3, strides=(2, 1), padding="same", output_padding=(1, 0), name="padded_same")(x)
    x = L.Resizing(10, 12, interpolation="nearest", name="resize_nearest")(x)
    shared = L.Conv2D(6, 2, padding="same", activation="selu", name="shared")
    x = L.Average(name="average")([shared(x), shared(shared(x))])
    x = L.AveragePooling2D(3, strides=2, padding="same", name="pool")(x)
    y = L.Permute((2, 1, 3), name="permute")(L.Permute((2, 1, 3), name="turn")(x))
    x = L.Concatenate(name="join")([L.Subtract(name="less")([x, L.Activation("mish", name="mish")(y)]), x])
    x = L.LeakyReLU(0.3, name="leaky")(x)
    x = L.Flatten(name="flat")(L.Reshape((-1, 3, 4), name="reshape")(x))
    return keras.Model(start, L.Dense(CLASSES, activation="softmax", name="last")(x), name="others")


def more():
    """Those that are left. What draws at random draws from nothing: it hands on what it has."""
    x = start = keras.Input((9, 7, 3), name="picture")
    x = L.Normalization(mean=[0.1, 0.2, -0.1], variance=[0.5, 0.6, 0.7], name="normal")(x)
    x = L.Conv2D(6, 3, activation=L.LeakyReLU(0.2), name="leaky_conv")(x)
    x = L.MaxPooling2D(2, padding="same", name="max")(x)
    x = L.GaussianNoise(0.0, name="noise")(L.Dropout(0.0, name="drop")(x))
    y = L.ReLU(0.8, negative_slope=0.1, threshold=0.05, name="relu")(L.Conv2D(6, 1, name="point")(x))
    z = L.ELU(0.7, name="elu")(L.SpatialDropout2D(0.0, name="drop_maps")(x))
    x = L.Maximum(name="most")([y, L.Minimum(name="least")([z, L.Identity(name="same")(x)])])
    x = LayerScale(0.7, 6, name="gamma_of_all")(x)
    x = CustomScaleLayer(0.3, name="scaled")([x, StochasticDepth(0.0, name="depth")(y)])
    x = L.GlobalMaxPooling2D(keepdims=True, name="highest")(L.GaussianDropout(0.0, name="drop_softly")(x))
    x = L.Dense(5, activation=L.ELU(0.4), name="elu_dense")(L.RandomFlip(name="flip")(x)) # of one position
    return keras.Model(start, L.Softmax(name="end")(L.Dense(CLASSES, name="last")(L.Flatten(name="flat")(x))), name="more")


def changed():
    """Layers of augmentation that draw from a range of one value."""
    x = start = keras.Input((9, 7, 3), name="picture")
    x = L.RandomTranslation((0.2, 0.2), (-0.3, -0.3), name="translate")(x)
    x = L.RandomRotation((0.07, 0.07), name="turn")(x)
    x = L.RandomZoom((0.3, 0.3), fill_mode="nearest", name="zoom")(x)
    x = L.RandomContrast((0.0, 0.0), value_range=(-1, 1), name="contrast")(x)
    x = L.RandomBrightness((0.2, 0.2), value_range=(-1, 1), name="brighten")(x)
    x = L.Flatten(name="flat")(L.Conv2D(4, 3, strides=2, activation="tanh", name="conv")(x))
    return keras.Model(start, L.Dense(CLASSES, activation="softmax", name="last")(x), name="changed")


def views():
    """Behind the softmax stands what changes no value."""
    x = start = keras.Input((8, 8, 3), name="picture")
    x = L.GlobalAveragePooling2D(keepdims=True, name="mean")(L.Conv2D(5, 3, activation="tanh", name="conv")(x))
    x = L.Reshape((CLASSES,), name="flat")(L.Conv2D(CLASSES, 1, activation="softmax", name="last")(x))
    return keras.Model({"picture": start}, {"classes": L.Activation("linear", name="float32")(x)}, name="views")


def plain():
    """Images without an axis of channels, as in the first tutorial of all."""
    return keras.Sequential([keras.Input((8, 8)), L.Flatten(name="flat"), L.Dense(6, activation="relu", name="hidden"),
                             L.Dropout(0.0, name="drop"), L.Dense(CLASSES, activation="softmax", name="last")])


def resized():
    """Wider filters, and the ratio of sides."""
    x = start = keras.Input((9, 7, 3), name="picture")
    x = L.Conv2D(4, 3, padding="same", activation="tanh", name="conv")(x)
    a = L.Resizing(6, 10, interpolation="bicubic", name="cubic")(x)
    b = L.Resizing(6, 10, interpolation="lanczos3", antialias=True, name="lanczos")(x)
    c = L.Resizing(6, 10, crop_to_aspect_ratio=True, name="cropped")(x)
    d = L.Resizing(6, 10, pad_to_aspect_ratio=True, fill_value=0.3, antialias=True, name="padded")(x)
    e = L.Resizing(6, 10, pad_to_aspect_ratio=True, interpolation="lanczos5", name="padded_lanczos")(x)
    x = L.Concatenate(name="join")([a, b, c, d, e])
    x = L.Conv2D(4, 3, strides=2, activation="tanh", name="second")(x)
    x = L.UpSampling2D((2, 3), interpolation="bicubic", name="cubic_up")(x)
    x = L.UpSampling2D((2, 1), interpolation="lanczos5", name="lanczos_up")(x)
    x = L.Resizing(3, 4, interpolation="bicubic", antialias=True, name="smaller")(x)
    return keras.Model(start, L.Dense(CLASSES, activation="softmax", name="last")(L.Flatten(name="flat")(x)), name="resized")


def axes():
    """Normalizations over other axes than the channels."""
    x = start = keras.Input((9, 7, 3), name="picture")
    x = L.Conv2D(4, 2, activation="tanh", name="conv")(x)
    x = L.BatchNormalization(axis=1, momentum=0.9, name="rows")(x)
    x = L.ReLU(name="relu")(x)
    x = L.BatchNormalization(axis=2, momentum=0.9, name="columns")(x)
    x = L.Conv2D(4, 2, padding="same", activation="tanh", name="second")(x)
    x = L.Concatenate(name="join")([
        L.LayerNormalization(axis=[1, 2, 3], name="all")(x), L.LayerNormalization(axis=2, name="columns_alone")(x),
        L.LayerNormalization(axis=(1, 3), center=False, name="rows_and_channels")(x),
        L.GroupNormalization(groups=4, axis=1, name="groups_of_rows")(x),
        L.GroupNormalization(groups=-1, axis=-2, name="each_column")(x)])
    x = L.Conv2D(4, 3, strides=2, activation="tanh", name="third")(x)
    return keras.Model(start, L.Dense(CLASSES, activation="softmax", name="last")(L.Flatten(name="flat")(x)), name="axes")


def operations():
    """keras.ops on the outputs of layers."""
    x = start = keras.Input((9, 7, 3), name="picture")
    x = ops.relu(L.Conv2D(4, 3, padding="same", name="conv")(x * 0.9 + 0.1))
    y = L.Conv2D(4, 3, padding="same", name="second")(ops.pad(x, [[0, 0], [1, 1], [0, 2], [0, 0]]))
    y = ops.max_pool(ops.transpose(ops.image.resize(y, (7, 9), interpolation="bicubic"), (0, 2, 1, 3)), 2, strides=1, padding="same")
    x = x + y - x * y / 2
    x = ops.concatenate([ops.silu(x), ops.leaky_relu(-x, 0.1), ops.square(ops.tanh(x))], axis=-1)
    x = ops.maximum(x, ops.clip(x, 0, 0.8)) * ops.sigmoid(ops.mean(x, axis=(1, 2), keepdims=True))
    x = ops.gelu(L.Dense(6, name="hidden")(x), approximate=False)
    x = ops.concatenate([ops.mean(x, axis=[1, 2]), ops.max(x, axis=(1, 2)), ops.reshape(ops.average_pool(x, 4, strides=4), (-1, 12))], axis=-1)
    return keras.Model(start, ops.softmax(L.Dense(CLASSES, name="last")(x)), name="operations")


def more_operations():
    """Those that become several layers: CBAM's attention, slices, bounds, powers."""
    x = start = keras.Input((9, 7, 3), name="picture")
    x = (x - np.array([0.1, 0.2, 0.3], "float32")) / np.array([0.5, 0.6, 0.7], "float32")
    x = ops.gelu(L.Conv2D(6, 3, padding="same", name="conv")(ops.cast(x, "float32")))
    gate = L.Dense(6, activation="sigmoid", name="gate")(L.GlobalAveragePooling2D(name="means")(x))
    x = x * gate[:, None, None, :]
    places = ops.concatenate([ops.mean(x, axis=-1, keepdims=True), ops.max(x, axis=3, keepdims=True)], axis=-1)
    x = x * L.Conv2D(1, 3, padding="same", activation="sigmoid", name="places")(places)
    x = ops.swapaxes(x[:, 1:, 1:-1], 1, 2) + ops.transpose(x[:, 1:, 1:-1, :], (0, 2, -3, -1))
    x = ops.clip(x, -0.4, 0.5) + ops.abs(x) - ops.maximum(x, 0.2) * ops.minimum(x, 0.3)
    x = ops.moveaxis(x, 1, 2) - 0.1 * ops.moveaxis(x, -2, 1) ** 3
    x = L.Conv2D(6, 2, activation="tanh", name="second")(x)
    x = x[..., :4] - ops.min(x, axis=(1, 3), keepdims=True)
    x = ops.concatenate([ops.sum(x, axis=(1, 2)) / 40, ops.mean(x, axis=(2, 3)), ops.squeeze(ops.mean(x, axis=(1, 2), keepdims=True), axis=(1, 2))], axis=-1)
    return keras.Model(start, L.Dense(CLASSES, activation="softmax", name="last")(x), name="more_operations")


def more_axes():
    """Softmax and Normalization over other axes than the channels, and Normalization the other way round."""
    x = start = keras.Input((9, 7, 3), name="picture")
    x = L.RandomCrop(9, 7, name="whole")(x)
    x = L.Normalization(axis=(1, 3), mean=np.linspace(-0.2, 0.2, 27).reshape(9, 3).tolist(),
                        variance=np.linspace(0.5, 1.5, 27).reshape(9, 3).tolist(), name="rows_and_colors")(x)
    x = L.Normalization(axis=None, mean=0.1, variance=2.0, name="of_all")(x)
    x = L.Normalization(axis=2, name="columns")(x)
    x = L.Normalization(axis=None, name="of_all_by_weights")(x)
    x = L.Conv2D(4, 2, activation="tanh", name="conv")(x)
    x = L.Normalization(mean=[0.1, 0.2, 0.3, 0.4], variance=[1.0, 2.0, 0.5, 0.7], invert=True, name="back")(x)
    y = L.Concatenate(name="join")([L.Softmax(axis=1, name="rows")(x), L.Softmax(axis=-2, name="columns_again")(x),
                                    L.Softmax(axis=[1, 2], name="places")(x), L.Softmax(axis=[1, 3], name="others")(x)])
    x = L.Multiply(name="weigh")([L.Concatenate(name="four")([x, x, x, x]), y])
    x = L.Conv2D(4, 3, strides=2, activation="tanh", name="second")(x)
    return keras.Model(start, L.Dense(CLASSES, activation="softmax", name="last")(L.Flatten(name="flat")(x)), name="more_axes")


# --- cases --------------------------------------------------------------------------------------------------------------

def adam():
    return O.Adam(2e-3)


def without(optimizer, words):
    optimizer.exclude_from_weight_decay(var_names=words)
    return optimizer


def without_small(optimizer):
    """Weight decay of kernels only, as dcnn has it."""
    return without(optimizer, ["bias", "gamma", "beta"])


EXCLUDED = {"optimizer/adamw_of_all": "none", "optimizer/adamw_but_bias": "bias"}  # --undecayed


CROSS = "sparse_categorical_crossentropy"
NETS = {
    "net/chain": (chain, CROSS, adam),
    "net/residual": (residual, CROSS, adam),
    "net/depthwise": (depthwise, CROSS, adam),
    "net/others": (others, CROSS, adam),
    "net/more": (more, CROSS, adam),
    "net/changed": (changed, CROSS, adam),
    "net/views": (views, CROSS, adam),
    "net/plain": (plain, CROSS, adam),
    "net/resized": (resized, CROSS, adam),
    "net/axes": (axes, CROSS, adam),
    "net/operations": (operations, CROSS, adam),
    "net/more_operations": (more_operations, CROSS, adam),
    "net/more_axes": (more_axes, CROSS, adam),
    "net/frozen": (lambda: chain(frozen=True), CROSS, adam),
}
RULES = {
    "rule/l1": dict(dense=dict(kernel_regularizer=R.L1(0.01))),
    "rule/l2": dict(conv=dict(kernel_regularizer=R.L2(0.02), bias_regularizer=R.L2(0.05))),
    "rule/l1l2": dict(dense=dict(kernel_regularizer=R.L1L2(0.003, 0.02)), norm=dict(gamma_regularizer=R.L2(0.01),
                                                                                  beta_regularizer=R.L1(0.01))),
    "rule/max_norm": dict(dense=dict(kernel_constraint=C.MaxNorm(0.6)), conv=dict(kernel_constraint=C.MaxNorm(0.5, axis=[0, 1, 2]))),
    "rule/unit_norm": dict(dense=dict(kernel_constraint=C.UnitNorm(), bias_constraint=C.UnitNorm())),
    "rule/non_negative": dict(conv=dict(kernel_constraint=C.NonNeg()), norm=dict(gamma_constraint=C.NonNeg())),
    "rule/min_max_norm": dict(dense=dict(kernel_constraint=C.MinMaxNorm(0.7, 0.9, rate=0.5, axis=1))),
}
LOSSES = {
    "loss/smoothed": (CLASSES, "softmax", losses.CategoricalCrossentropy(label_smoothing=0.1)),
    "loss/logits": (CLASSES, None, losses.SparseCategoricalCrossentropy(from_logits=True)),
    "loss/binary": (1, "sigmoid", "binary_crossentropy"),
    "loss/binary_logits": (1, None, losses.BinaryCrossentropy(from_logits=True)),
    "loss/many_labels": (4, "sigmoid", losses.BinaryCrossentropy(label_smoothing=0.2)),
    "loss/squared": (2, None, "mse"),
    "loss/absolute": (2, None, "mean_absolute_error"),
    "loss/huber": (2, None, losses.Huber(delta=0.7)),
}
OPTIMIZERS = {
    "optimizer/sgd": lambda: O.SGD(0.05),
    "optimizer/momentum": lambda: O.SGD(0.02, momentum=0.9, weight_decay=0.01),
    "optimizer/nesterov": lambda: O.SGD(0.02, momentum=0.9, nesterov=True),
    "optimizer/adamw": lambda: without_small(O.AdamW(2e-3, weight_decay=0.1)),
    "optimizer/nadam": lambda: O.Nadam(2e-3),
    "optimizer/rmsprop": lambda: O.RMSprop(2e-3, rho=0.8, momentum=0.5),
    "optimizer/lion": lambda: O.Lion(1e-3),
    "optimizer/muon": lambda: without_small(O.Muon(2e-3, adam_weight_decay=0.05, weight_decay=0.05,
                                                   exclude_layers=["(^|/)last/"])),
    "optimizer/adamw_of_all": lambda: O.AdamW(2e-3, weight_decay=0.1),
    "optimizer/adamw_but_bias": lambda: without(O.AdamW(2e-3, weight_decay=0.1), ["bias"]),
    "optimizer/ema": lambda: O.SGD(0.05, use_ema=True, ema_momentum=0.8),
    "optimizer/ema_overwrite": lambda: O.Adam(2e-3, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=3),
    "optimizer/clip_norm": lambda: O.SGD(0.05, momentum=0.5, global_clipnorm=0.3),
    "optimizer/clip_value": lambda: O.SGD(0.05, clipvalue=0.02),
    "optimizer/clip_norm_of_regularized": lambda: O.SGD(0.05, global_clipnorm=0.3),
}


def cases():
    yield from NETS.items()
    for name, rules in RULES.items():
        yield name, (lambda rules=rules: chain(**rules), CROSS, adam)
    for name, (units, activation, loss) in LOSSES.items():
        yield name, (lambda u=units, a=activation: chain(u, a), loss, adam)
    for name, optimizer in OPTIMIZERS.items():
        rules = dict(dense=dict(kernel_regularizer=R.L2(0.1))) if "regularized" in name else {}
        if name == "optimizer/momentum":
            yield name, (lambda: chain(), CROSS, lambda o=optimizer: without_small(o()))
        else:
            yield name, (lambda rules=rules: chain(**rules), CROSS, optimizer)


# --- recording ----------------------------------------------------------------------------------------------------------

def draw(model):
    random = np.random.default_rng(7)
    for w in model.weights:
        low, high = (0.5, 1.5) if "variance" in w.path or "gamma" in w.path else (-0.4, 0.4)
        w.assign(random.uniform(low, high, w.shape).astype("float32"))
    for layer in model.layers:
        if isinstance(layer, L.Normalization):
            layer.finalize_state()


def flat(layer):
    return np.concatenate([np.asarray(w).ravel() for w in layer.weights])


def shape_of(shape):
    """Of a sample; the only one, where Keras has them by name."""
    return (next(iter(shape.values())) if isinstance(shape, dict) else shape)[1:]


def targets_for(name, model):
    """What dcnn takes, and what Keras takes."""
    random, outputs = np.random.default_rng(11), shape_of(model.output_shape)[-1]
    if name == "loss/many_labels":
        values = random.integers(0, 2, (SAMPLES, outputs)).astype("float32")
        return "targets", values, values
    if name in ("loss/squared", "loss/absolute", "loss/huber"):
        values = random.uniform(-1, 1, (SAMPLES, outputs)).astype("float32")
        return "targets", values, values
    labels = random.integers(0, max(outputs, 2), SAMPLES).astype("int32")
    if name == "loss/smoothed":
        return "labels", labels, keras.utils.to_categorical(labels, outputs)
    return "labels", labels, labels[:, None].astype("float32") if outputs == 1 else labels


def record(group, name, make_model, loss, make_optimizer):
    keras.utils.set_random_seed(1)
    model, optimizer = make_model(), make_optimizer()
    draw(model)
    shape = shape_of(model.input_shape)
    x = np.random.default_rng(3).uniform(-1, 1, (SAMPLES, *shape)).astype("float32")
    kind, ours, theirs = targets_for(name, model)
    model.compile(optimizer, loss, jit_compile=False)
    group.attrs["model_config"] = model.to_json()
    group.attrs["optimizer"] = json.dumps(keras.saving.serialize_keras_object(optimizer))
    described = loss if isinstance(loss, str) else keras.saving.serialize_keras_object(loss)
    if name == "loss/huber":
        described["config"]["delta"] = 0.7  # Keras 3.15 forgets it
    group.attrs["loss"] = json.dumps(described)
    if name in EXCLUDED:
        group.attrs["exclude"] = EXCLUDED[name]
    group.attrs["batch"] = np.int64(BATCH)
    pictures = x if len(shape) == 3 else x[..., None]
    place = "x/" + "x".join(map(str, pictures.shape[1:]))
    if place not in group.file:
        group.file[place] = pictures
    group[kind] = ours
    outputs = model(x, training=False)
    group["outputs"] = np.asarray(outputs["classes"] if isinstance(outputs, dict) else outputs)
    for layer in model.layers:
        if layer.weights:
            group["before/" + layer.name] = flat(layer)
    values = []
    for step in range(STEPS):
        at = step * BATCH % SAMPLES
        model.reset_metrics()
        values.append(float(np.asarray(model.train_on_batch(x[at:at + BATCH], theirs[at:at + BATCH]))))
    group["losses"] = np.array(values)
    for layer in model.layers:
        if layer.weights:
            group["after/" + layer.name] = flat(layer)
    if optimizer.use_ema:
        for weight, average in zip(model.trainable_variables, optimizer._model_variables_moving_average):
            weight.assign(average)
        for layer in model.layers:
            if layer.weights:
                group["average/" + layer.name] = flat(layer)
    print("%-36s loss %.6f to %.6f" % (name, values[0], values[-1]))


RANDOM = {
    "rotation": lambda: L.RandomRotation((0.07, 0.07)),
    "rotation_constant": lambda: L.RandomRotation((-0.2, -0.2), fill_mode="constant", fill_value=0.5),
    "zoom": lambda: L.RandomZoom((0.3, 0.3), fill_mode="nearest"),
    "zoom_both": lambda: L.RandomZoom((-0.3, -0.3), (0.2, 0.2)),
    "translation": lambda: L.RandomTranslation((0.2, 0.2), (-0.3, -0.3)),
    "brightness": lambda: L.RandomBrightness((0.2, 0.2), value_range=(-1, 1)),
    "crop_of_columns": lambda: L.RandomCrop(9, 5), # of one side nothing is drawn
    "crop_stretched": lambda: L.RandomCrop(12, 8),
    "crop_and_stretch": lambda: L.RandomCrop(11, 6),
}


def record_random(group):
    """What layers that draw from a range of one value make of images in training: layer (JSON) and y beside x/9x7x3. What
    RandomCrop makes at inference, by its documentation (Keras 3.15 hands images on as they are), in `inference`."""
    for name, make in RANDOM.items():
        layer = make()
        one = group.create_group(name)
        one.attrs["layer"] = json.dumps(keras.saving.serialize_keras_object(layer))
        one["y"] = np.asarray(layer(group.file["x/9x7x3"][()], training=True))
        if isinstance(layer, L.RandomCrop):
            documented = L.Resizing(layer.height, layer.width, crop_to_aspect_ratio=True)
            one["inference"] = np.asarray(documented(group.file["x/9x7x3"][()]))


def main():
    only = sys.argv[2:]
    with h5py.File(FILE, "a" if only else "w", libver="latest") as f:
        f.attrs["keras"] = keras.__version__
        for name, case in cases():
            if only and name not in only:
                continue
            if name in f:
                del f[name]
            record(f.create_group(name, track_order=True), name, *case)
        if not only or "random" in only:
            if "random" in f:
                del f["random"]
            record_random(f.create_group("random"))


main()
