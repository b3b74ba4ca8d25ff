# SPDX-License-Identifier: BSD-3-Clause
"""The comparisons of tools/check_onnx.

    check_onnx.py DCNN KERAS_PEER FOLDER    (KERAS_PEER: the program of tests/keras_peer.c; FOLDER: for files)

Keras -> dcnn -> ONNX:  every layer that dcnn has, with its options, saved by Keras and exported by dcnn: what
                        onnxruntime makes of it is what Keras makes of it; and what dcnn makes of the ONNX file
PyTorch -> dcnn:        networks as torch.onnx.export() writes them, by its old way and its new one: dcnn's predictions
"""

import os
import subprocess
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
import keras
import numpy as np
import onnx
import onnxruntime
from keras import layers as L

DCNN, PEER, FOLDER = sys.argv[1:]
BOUND = 1e-5
bad = 0


def path(name):
    return os.path.join(FOLDER, name)


def say(what, error, bound=BOUND):
    """One line of the table; an error that is a word says why there is no number."""
    global bad
    good = not isinstance(error, str) and bool(error <= bound)
    bad += not good
    print("%-72s %s" % (what, "%8.1e  allowed %.0e  %s" % (error, bound, "ok" if good else "WRONG")
                        if not isinstance(error, str) else error), flush=True)


def distance(a, b):
    """The largest difference, as a share of the largest value where that is above 1."""
    return float(np.abs(a - b).max() / max(1.0, np.abs(b).max()))


def draw(model):
    """Weights that no layer hides: moving statistics and slopes too."""
    random = np.random.default_rng(7)
    for w in model.weights:
        if "seed" in w.path or w.dtype != "float32":
            continue
        low, high = (0.5, 1.5) if "variance" in w.path or "gamma" in w.path else (-0.4, 0.4)
        w.assign(random.uniform(low, high, w.shape).astype("float32"))


def run_dcnn(*arguments):
    done = subprocess.run([DCNN, *arguments], capture_output=True, text=True)
    return done.stderr.strip() if done.returncode else ""


def run_onnx(file, x):
    onnx.checker.check_model(onnx.load(file), full_check=True)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0].name
    return session.run(None, {entry: x.transpose(0, 3, 1, 2) if x.ndim == 4 else x})[0]


def predict_with_dcnn(model, x):
    """Probabilities of x [N, H, W, C]: a softmax of the outputs where the model has none."""
    x.tofile(path("images.bin"))
    done = subprocess.run([PEER, "predict", model, path("images.bin"), path("outputs.bin")], capture_output=True,
                          text=True)
    if done.returncode:
        return done.stderr.strip()
    return np.fromfile(path("outputs.bin"), np.float32).reshape(len(x), -1)


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


ACTIVATIONS = ["relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "hard_silu", "sigmoid",
               "hard_sigmoid", "log_sigmoid", "tanh", "hard_tanh", "softplus", "softsign", "exponential", "mish",
               "softmax", "linear"]
CASES = {
    "Conv2D valid": lambda x: L.Conv2D(5, 3)(x),
    "Conv2D same, strides 2": lambda x: L.Conv2D(5, (3, 2), strides=2, padding="same", activation="relu")(x),
    "Conv2D same, strides 3 of 2": lambda x: L.Conv2D(5, 2, strides=3, padding="same", use_bias=False)(x),
    "Conv2D dilation": lambda x: L.Conv2D(4, 3, dilation_rate=2, padding="same")(x),
    "Conv2D groups": lambda x: L.Conv2D(8, 3, groups=2)(x),
    "DepthwiseConv2D": lambda x: L.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2)(x),
    "SeparableConv2D": lambda x: L.SeparableConv2D(6, 3, depth_multiplier=2, padding="same", activation="tanh")(x),
    "Conv2DTranspose same": lambda x: L.Conv2DTranspose(5, 3, strides=2, padding="same")(x),
    "Conv2DTranspose valid": lambda x: L.Conv2DTranspose(5, (4, 3), strides=(2, 3), activation="relu")(x),
    "Conv2DTranspose valid, filter below stride": lambda x: L.Conv2DTranspose(5, 1, strides=2)(x),
    "Dense on a map": lambda x: L.Dense(7, activation="relu")(x),
    "Dense": lambda x: L.Dense(7)(L.Flatten()(x)),
    "MaxPooling2D": lambda x: L.MaxPooling2D(2)(x),
    "MaxPooling2D same": lambda x: L.MaxPooling2D(3, strides=2, padding="same")(x),
    "AveragePooling2D": lambda x: L.AveragePooling2D((2, 3))(x),
    "AveragePooling2D same": lambda x: L.AveragePooling2D(3, strides=2, padding="same")(x),
    "GlobalAveragePooling2D": lambda x: L.GlobalAveragePooling2D()(x),
    "GlobalAveragePooling2D keepdims": lambda x: L.GlobalAveragePooling2D(keepdims=True)(x),
    "GlobalMaxPooling2D": lambda x: L.GlobalMaxPooling2D()(x),
    "BatchNormalization": lambda x: L.BatchNormalization()(x),
    "BatchNormalization without scale": lambda x: L.BatchNormalization(scale=False, epsilon=0.01)(x),
    "BatchNormalization of a vector, no center": lambda x: L.BatchNormalization(center=False)(L.Flatten()(x)),
    "LayerNormalization": lambda x: L.LayerNormalization()(x),
    "LayerNormalization of a vector": lambda x: L.LayerNormalization()(L.Flatten()(x)),
    "GroupNormalization": lambda x: L.GroupNormalization(groups=2)(x),
    "GroupNormalization, one a channel": lambda x: L.GroupNormalization(groups=-1)(x),
    "Dropout": lambda x: L.Dropout(0.5)(x),
    "SpatialDropout2D": lambda x: L.SpatialDropout2D(0.5)(x),
    "GaussianNoise": lambda x: L.GaussianNoise(0.5)(x),
    "GaussianDropout": lambda x: L.GaussianDropout(0.5)(x),
    "ReLU max_value": lambda x: L.ReLU(max_value=0.8)(x),
    "ReLU all options": lambda x: L.ReLU(max_value=0.8, negative_slope=0.1, threshold=0.2)(x),
    "ReLU negative_slope, max_value": lambda x: L.ReLU(max_value=0.8, negative_slope=0.1)(x),
    "LeakyReLU": lambda x: L.LeakyReLU(0.2)(x),
    "ELU": lambda x: L.ELU(0.7)(x),
    "PReLU": lambda x: L.PReLU()(x),
    "PReLU shared": lambda x: L.PReLU(shared_axes=[1, 2])(x),
    "Softmax": lambda x: L.Softmax()(x),
    "Flatten": lambda x: L.Flatten()(x),
    "Flatten channels_first": lambda x: L.Flatten(data_format="channels_first")(x),
    "Reshape": lambda x: L.Reshape((6, 12, -1))(x),
    "Reshape to a vector": lambda x: L.Reshape((-1,))(x),
    "Reshape of a vector": lambda x: L.Reshape((4, 9, -1))(L.Flatten()(x)),
    "Permute": lambda x: L.Permute((3, 1, 2))(x),
    "ZeroPadding2D": lambda x: L.ZeroPadding2D(((1, 2), (3, 0)))(x),
    "Cropping2D": lambda x: L.Cropping2D(((1, 2), (0, 3)))(x),
    "UpSampling2D": lambda x: L.UpSampling2D((2, 3))(x),
    "Resizing": lambda x: L.Resizing(5, 9)(x),
    "Resizing nearest": lambda x: L.Resizing(5, 9, interpolation="nearest")(x),
    "Resizing bicubic, larger": lambda x: L.Resizing(13, 19, interpolation="bicubic")(x),
    "Resizing bicubic, smaller": lambda x: L.Resizing(5, 9, interpolation="bicubic")(x),
    "UpSampling2D bicubic": lambda x: L.UpSampling2D((2, 3), interpolation="bicubic")(x),
    "operations of keras.ops": lambda x: keras.ops.relu(2.0 * x + 1.0) - keras.ops.mean(x, axis=(1, 2), keepdims=True) * x,
    "Identity": lambda x: L.Identity()(x),
    "Softmax over rows": lambda x: L.Softmax(axis=1)(x),
    "Softmax over places": lambda x: L.Softmax(axis=[1, 2])(x),
    "Softmax over rows and channels": lambda x: L.Softmax(axis=[1, 3])(x),
    "Softmax over columns and channels": lambda x: L.Softmax(axis=[2, 3])(x),
    "Softmax over all": lambda x: L.Softmax(axis=[1, 2, 3])(x),
    "Normalization along rows and columns": lambda x: L.Normalization(axis=(1, 2), mean=np.linspace(-1, 1, 8).tolist(), variance=np.linspace(0.5, 2, 8).tolist())(x),
    "Normalization, inverted": lambda x: L.Normalization(mean=[0.1, 0.2, 0.3, 0.4], variance=[2.0, 1.0, 0.5, 3.0], invert=True)(x),
    "Resizing, cropped": lambda x: L.Resizing(5, 9, crop_to_aspect_ratio=True)(x),
    "Resizing, padded": lambda x: L.Resizing(5, 9, pad_to_aspect_ratio=True, fill_value=0.3)(x),
    "shuffled channels": lambda x: L.Reshape((9, 8, 4))(L.Permute((1, 2, 4, 3))(L.Reshape((9, 8, 2, 2))(x))),
    "several layers of one operation": lambda x: keras.ops.clip(x, -0.5, 1) * keras.ops.max(x, axis=-1, keepdims=True) + abs(x[:, 1:8, :, 2:3])[:, :1],
    "an activation that is a layer": lambda x: L.Conv2D(5, 3, activation=L.LeakyReLU(0.15))(x),
    "UpSampling2D bilinear": lambda x: L.UpSampling2D((2, 3), interpolation="bilinear")(x),
    "Add": lambda x: L.Add()([x, L.Conv2D(4, 3, padding="same")(x), x]),
    "Subtract": lambda x: L.Subtract()([x, L.Conv2D(4, 3, padding="same")(x)]),
    "Multiply": lambda x: L.Multiply()([x, L.GlobalAveragePooling2D(keepdims=True)(x)]),
    "Average": lambda x: L.Average()([x, L.Conv2D(4, 3, padding="same")(x), x]),
    "Maximum": lambda x: L.Maximum()([x, L.Conv2D(4, 3, padding="same")(x)]),
    "Minimum": lambda x: L.Minimum()([x, L.Conv2D(4, 3, padding="same")(x)]),
    "Concatenate": lambda x: L.Concatenate()([x, L.Conv2D(3, 3, padding="same")(x)]),
    "Concatenate of rows": lambda x: L.Concatenate(axis=1)([x, L.Conv2D(4, 3, padding="same")(x)]),
    "Rescaling": lambda x: L.Rescaling([0.5, 0.25, 2, 1], offset=[-1, 0, 1, 2])(x),
    "Normalization": lambda x: L.Normalization(mean=[0.1, 0.2, 0.3, 0.4], variance=[1, 2, 3, 4])(x),
    **{"Activation " + name: lambda x, name=name: L.Activation(name)(x) for name in ACTIVATIONS},
}


def twice(x):
    shared = L.Conv2D(4, 3, padding="same", activation="gelu")
    return L.Add()([shared(x), shared(shared(x))])


CASES["a layer that is called three times"] = twice


def every_layer():
    x = np.random.default_rng(8).uniform(-2, 2, (3, 9, 8, 4)).astype("float32")
    for name, case in CASES.items():
        start = keras.Input((9, 8, 4), name="images")
        y = case(start)
        y = L.Dense(5)(y if len(y.shape) == 2 else L.Flatten()(y))  # an end that is no activation
        model = keras.Model(start, y)
        draw(model)
        model.save(path("case.keras"))
        trouble = run_dcnn("export", path("case.keras"), "-o", path("case.onnx"), "--force")
        if trouble:
            say("Keras -> dcnn -> ONNX: " + name, trouble)
            continue
        say("Keras -> dcnn -> ONNX: " + name,
            distance(run_onnx(path("case.onnx"), x), np.asarray(model(x, training=False))))


def raw_input():
    """A model of standardised images as one of bytes, in ONNX and in Keras."""
    images = np.random.default_rng(9).integers(0, 256, (4, 28, 28, 3)).astype("uint8")
    start = keras.Input((28, 28, 3))
    x = L.MaxPooling2D(4)(L.Conv2D(6, 5, activation="relu")(start))
    model = keras.Model(start, L.Dense(5, activation="softmax")(L.Flatten()(x)))
    draw(model)
    model.save(path("plain.keras"))
    mean, std = np.array([0.5, 0.4, 0.3]), np.array([0.2, 0.25, 0.3])
    expected = np.asarray(model(((images / 255 - mean) / std).astype("float32"), training=False))
    said = ["--raw-input", "--mean", "0.5,0.4,0.3", "--std", "0.2,0.25,0.3", "--force"]
    for ending in ("onnx", "keras", "h5"):
        trouble = run_dcnn("export", path("plain.keras"), "-o", path("raw." + ending), *said)
        if trouble:
            say("--raw-input: ." + ending, trouble)
        elif ending == "onnx":
            say("--raw-input: .onnx, of uint8", distance(run_onnx(path("raw.onnx"), images), expected))
        else:
            again = keras.models.load_model(path("raw." + ending), compile=False)
            say("--raw-input: .%s in Keras" % ending,
                distance(np.asarray(again(images.astype("float32"), training=False)), expected))


def pytorch():
    """What dcnn makes of networks that PyTorch exported, by each of its ways."""
    try:
        import torch
    except ImportError:
        print("PyTorch is not here: its networks are left out")
        return
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import record_onnx
    torch.manual_seed(5)
    x = torch.randn(7, 3, record_onnx.SIDE, record_onnx.SIDE)
    for name, model in record_onnx.networks().items():
        y = model(x).detach()
        expected = (y if name == "plain" else torch.softmax(y, 1)).numpy()
        for way in ("old", "new"):
            record_onnx.export(model, x[:2], path("torch.onnx"), way)
            what = "PyTorch %s, %s exporter -> dcnn: %s" % (torch.__version__, way, name)
            trouble = run_dcnn("export", path("torch.onnx"), "-o", path("torch.h5"), "--force")
            got = trouble or predict_with_dcnn(path("torch.h5"), x.numpy().transpose(0, 2, 3, 1).copy())
            say(what, got if isinstance(got, str) else distance(got, expected))


def main():
    print("onnxruntime %s, onnx %s, Keras %s" % (onnxruntime.__version__, onnx.__version__, keras.__version__))
    every_layer()
    raw_input()
    pytorch()
    print("%d wrong" % bad)
    sys.exit(1 if bad else 0)


main()
