# SPDX-License-Identifier: BSD-3-Clause
"""Records what tests/test_keras_files.c compares with: a small model of every layer that dcnn reads, saved by real Keras
in each of its formats, and its predictions. By hand, with Keras 3: python tools/record_keras.py [FOLDER]"""
import os
import sys

import h5py
import keras
import numpy as np
from keras import layers as L

FOLDER = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..", "tests", "expected")


def draw(model):
    """Weights that no layer hides: moving statistics and slopes too."""
    random = np.random.default_rng(7)
    for w in model.weights:
        if "seed" in w.path or w.dtype != "float32":
            continue
        low, high = (0.5, 1.5) if "variance" in w.path or "gamma" in w.path else (-0.4, 0.4)
        w.assign(random.uniform(low, high, w.shape).astype("float32"))


def graph():
    """Residual blocks, a nested model, a shared layer, squeeze and excitation, and each kind of layer once."""
    x = start = keras.Input((12, 10, 3), name="picture")
    x = L.Rescaling(1 / 127.5, offset=-1)(x)
    x = L.ZeroPadding2D(((1, 0), (0, 1)))(x)
    x = L.Conv2D(8, 3, padding="same", use_bias=False)(x)
    x = L.BatchNormalization()(x)
    x = skip = L.ReLU(6.0)(x)
    x = L.DepthwiseConv2D(3, padding="same", activation="relu6")(x)
    x = L.Conv2D(8, 1, activation="hard_silu")(x)
    gate = L.GlobalAveragePooling2D(keepdims=True)(x)
    gate = L.Dense(8, activation="hard_sigmoid")(gate)
    x = L.Multiply()([x, gate])
    x = L.Add()([x, skip])
    inner = keras.Sequential([keras.Input((13, 11, 8)), L.Conv2D(8, 3, padding="same", groups=2), L.BatchNormalization(),
                              L.LeakyReLU(0.1), L.SpatialDropout2D(0.1)], name="block")
    x = L.Concatenate()([inner(x), x])
    x = L.SeparableConv2D(6, 3, dilation_rate=2, activation="selu")(x)
    x = L.GroupNormalization(groups=3)(x)
    x = L.PReLU(shared_axes=[1, 2])(x)
    shared = L.Conv2D(6, 2, padding="same", activation="gelu")
    x = L.Average()([shared(x), shared(shared(x))])
    x = L.LayerNormalization()(x)
    x = L.Conv2DTranspose(5, 3, strides=2, padding="same", activation="elu")(x)
    x = L.Cropping2D(((1, 2), (0, 1)))(x)
    x = L.UpSampling2D((1, 2))(x)
    x = L.MaxPooling2D(2)(x)
    x = L.GaussianNoise(0.1)(x)
    x = L.Permute((2, 1, 3))(x)
    x = L.Maximum()([x, L.AveragePooling2D(3, strides=1, padding="same")(x)])
    x = L.Subtract()([x, L.Minimum()([x, L.Activation("softplus")(x)])])
    x = L.Conv2D(7, 3, dilation_rate=2, padding="same", activation="mish")(x)
    y = L.Flatten()(L.Reshape((-1, 1, 7))(x))
    x = L.Concatenate()([L.GlobalMaxPooling2D()(x), L.Dense(5, activation="tanh")(y), L.GlobalAveragePooling2D()(x)])
    return keras.Model(start, L.Dense(4, activation="softmax")(L.Dropout(0.2)(x)), name="every_layer")


# Names that keras.applications gives networks, and whose preprocess_input() is theirs.
FAMILIES = {
    "vgg16": "vgg16", "vgg19": "vgg19", "resnet50": "resnet", "resnet101": "resnet", "resnet152": "resnet",
    "resnet50v2": "resnet_v2", "resnet101v2": "resnet_v2", "resnet152v2": "resnet_v2", "mobilenet_1.00_224": "mobilenet",
    "mobilenetv2_1.00_224": "mobilenet_v2", "densenet121": "densenet", "xception": "xception",
    "inception_v3": "inception_v3", "inception_resnet_v2": "inception_resnet_v2", "nasnet_mobile": "nasnet",
}  # fmt: skip


def families():
    """What each family makes of the same bytes."""
    images = np.random.default_rng(9).integers(0, 256, (2, 3, 3, 3))
    with h5py.File(os.path.join(FOLDER, "keras_inputs.h5"), "w") as f:
        f["images"] = images.astype(np.uint8)
        for name, module in FAMILIES.items():
            preprocess = getattr(keras.applications, module).preprocess_input
            f[name] = np.array(preprocess(images.astype(np.float32)), np.float32)


def main():
    families()
    model = graph()
    draw(model)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    inputs = np.random.default_rng(8).integers(0, 256, (5, 12, 10, 3)).astype("float32")
    for ending in ("keras", "weights.h5", "h5"):
        path = os.path.join(FOLDER, "keras_graph." + ending)
        model.save_weights(path) if ending == "weights.h5" else model.save(path)
    with open(os.path.join(FOLDER, "keras_graph.json"), "w") as f:
        f.write(model.to_json())
    with h5py.File(os.path.join(FOLDER, "keras_graph_outputs.h5"), "w") as f:
        f["inputs"], f["outputs"] = inputs, model(inputs, training=False)


main()
