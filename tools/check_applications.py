# SPDX-License-Identifier: BSD-3-Clause
"""Every image classifier of keras.applications in dcnn: tools/check_keras --applications [NAME…] calls this.

    check_applications.py DCNN FOLDER [NAME…]

Each is built by Keras with random weights (all of them, moving statistics too) for 10 classes, and
  numbers   predicts 12 images in both, which each brings to what the network's family wants, Keras by preprocess_input():
            the largest difference of log-probabilities beside the largest of them
  trained   takes 3 steps of SGD with momentum on all 12 images as one batch, with a head of 3 classes: the difference of
            what the steps added to all weights, as a share of its length; Dropout is off, whose numbers are each one's own
  ranks     is trained by `dcnn train --replace-head` on 1 and on 3 ranks: the same bits
  returned  is exported by dcnn after that training, and Keras predicts from it what dcnn does
Prints rows of a table in Markdown; ends with 1 if one is wrong.
"""

import csv
import gc
import importlib
import json
import logging
import os
import shutil
import subprocess
import sys
import warnings

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ["OMPI_ALLOW_RUN_AS_ROOT"] = os.environ["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"
logging.disable(logging.WARNING)
warnings.filterwarnings("ignore")
import keras
import numpy as np

DCNN, FOLDER = os.path.abspath(sys.argv[1]), sys.argv[2]
SMALL = [
    "VGG16", "VGG19", "ResNet50", "ResNet101", "ResNet152", "ResNet50V2", "ResNet101V2", "ResNet152V2", "MobileNet",
    "MobileNetV2", "MobileNetV3Small", "MobileNetV3Large", "DenseNet121", "DenseNet169", "DenseNet201",
    "EfficientNetB0", "EfficientNetB1", "EfficientNetB2", "EfficientNetB3", "EfficientNetB4", "EfficientNetB5",
    "EfficientNetB6", "EfficientNetB7", "EfficientNetV2B0", "EfficientNetV2B1", "EfficientNetV2B2", "EfficientNetV2B3",
    "EfficientNetV2S", "EfficientNetV2M", "EfficientNetV2L", "ConvNeXtTiny", "ConvNeXtSmall", "ConvNeXtBase",
]  # fmt: skip
SIDES = {**{name: 64 for name in SMALL}, "Xception": 96, "InceptionV3": 96, "InceptionResNetV2": 96, "NASNetMobile": 96}
COUNT, HEAD, RATE, MOMENTUM = 12, 3, 1e-4, 0.9
# What ends a branch beside which a block's input goes on: branches as large as their input would amplify the last bit in
# many blocks.
CALMED = "project_bn"
SAME = 1e-4  # allowed of log-probabilities
STEPS = 1e-4  # allowed of what three steps add, or ten times Keras' own noise


def dcnn(*arguments, ranks=1):
    command = [DCNN, *arguments]
    if ranks > 1:
        command = ["mpirun", "-np", str(ranks), "--oversubscribe", *command]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(" ".join(command[:4]) + ": " + (done.stderr.strip().splitlines() or ["?"])[-1])
    return done.stdout


def preprocessed(name, images):
    """As the network's family wants images."""
    module = importlib.import_module(getattr(keras.applications, name).__module__)
    return np.array(module.preprocess_input(images.astype(np.float32)), np.float32)


def scramble(model, seed, images):
    """Mild random values for what Keras starts as 0 or 1, so that a mix-up shows, and moving statistics as of these
    images, else deep nets overflow; Dropout off."""
    draw = np.random.default_rng(seed)
    for layer in model._flatten_layers():
        if hasattr(layer, "rate"):
            layer.rate = 0.0
        if isinstance(layer, keras.layers.Normalization):
            continue
        for weight in layer.weights:
            value = keras.ops.convert_to_numpy(weight)
            if value.ndim == 1:
                low, high = (0.8, 1.2) if "variance" in weight.name or "gamma" in weight.name else (-0.1, 0.1)
                if "gamma" in weight.name and layer.name.endswith(CALMED):
                    low, high = 0.02, 0.1
                weight.assign(draw.uniform(low, high, value.shape).astype(np.float32))
    normalizations = [l for l in model._flatten_layers() if isinstance(l, keras.layers.BatchNormalization)]
    momentum = [layer.momentum for layer in normalizations]
    for layer in normalizations:
        layer.momentum = 0.0
    model(images, training=True)
    for layer, value in zip(normalizations, momentum):
        layer.momentum = value


def log_probabilities(model, images):
    p = np.concatenate([keras.ops.convert_to_numpy(model(images[i : i + 4], training=False)) for i in range(0, COUNT, 4)])
    return np.log(np.maximum(p.astype(np.float64), 1e-37))


def predicted_by_dcnn(model, data):
    rows = list(csv.reader(dcnn("predict", model, data, "--split", "train").splitlines()))
    first = rows[0].index("p0")
    rows = sorted(rows[1:], key=lambda row: int(row[0]))
    return np.log(np.maximum(np.array([row[first:] for row in rows], np.float64), 1e-37))


def distance(a, b):
    return float(np.abs(a - b).max() / np.abs(b).max())


def with_head(model):
    """A new Dense on what the last layer with weights reads."""
    last = next(layer for layer in reversed(model.layers) if layer.weights)
    features = last.input
    if len(features.shape) == 4:
        features = keras.layers.Flatten(name="new_flatten")(features)
    head = keras.layers.Dense(HEAD, activation="softmax", name="new_head")(features)
    return keras.Model(model.inputs, head, name=model.name)  # the family is known by it


def weights_of(model):
    """By layer and place in it: dcnn writes nested models flat, and weights that Keras names itself change names."""
    named = {}
    for weight in model.weights:
        if weight.dtype != "float32":
            continue
        layer = weight.path.split("/")[-2]
        place = sum(key[0] == layer for key in named)
        named[layer, place] = keras.ops.convert_to_numpy(weight).astype(np.float64)
    return named


def moved(before, after):
    return np.concatenate([(after[k] - before[k]).ravel() for k in before])


def train_in_keras(model, images, labels):
    model.compile(keras.optimizers.SGD(RATE, momentum=MOMENTUM), "sparse_categorical_crossentropy")
    for _ in range(3):
        model.train_on_batch(images, labels)


def trained(run, data, model, ranks, *more):
    shutil.rmtree(run, ignore_errors=True)
    out = dcnn(
        "train", data, "--model", model, "--run", run, "--epochs", "3", "--batch-size", str(COUNT), "--grain", "4",
        "--no-augment", "--no-report", "--no-tensorboard", "--optimizer", "sgd", "--learning-rate", str(RATE),
        "--momentum", str(MOMENTUM), "--schedule", "constant", "--keep", "1", *more, ranks=ranks,
    )  # fmt: skip
    return next(line.split()[2] for line in out.splitlines() if line.startswith("weights hash"))


def last_checkpoint(run):
    files = sorted(os.listdir(os.path.join(run, "checkpoints")))
    return os.path.join(run, "checkpoints", files[-1])


def check(name):
    side = SIDES[name]
    draw = np.random.default_rng(7)
    images = draw.integers(0, 256, (COUNT, side, side, 3), np.uint8)
    labels = np.arange(COUNT) % HEAD
    at = lambda file: os.path.join(FOLDER, f"{name}-{file}")
    data = os.path.join(FOLDER, f"images-{side}.h5")
    if not os.path.exists(data):
        np.savez(os.path.join(FOLDER, "images.npz"), x_train=images, y_train=labels, x_test=images, y_test=labels)
        dcnn("prepare", os.path.join(FOLDER, "images.npz"), "-o", data, "--validation-split", "0")
    model = getattr(keras.applications, name)(weights=None, input_shape=(side, side, 3), classes=10)
    x = preprocessed(name, images)
    scramble(model, 1, x)
    model.save(at("a.keras"))
    numbers = distance(predicted_by_dcnn(at("a.keras"), data), log_probabilities(model, x))

    small = with_head(model)
    small.save(at("b.keras"))
    before = weights_of(small)
    train_in_keras(small, np.nextafter(x, np.float32(1e9)), labels)
    disturbed = weights_of(small)
    small = keras.models.load_model(at("b.keras"), compile=False)
    train_in_keras(small, x, labels)
    trained(at("run"), data, at("b.keras"), 1)
    last = last_checkpoint(at("run"))
    dcnn("export", last, "-o", at("c.keras"))
    back = keras.models.load_model(at("c.keras"), compile=False)
    after, ours = weights_of(small), weights_of(back)
    step = moved(before, after)
    steps = float(np.linalg.norm(moved(before, ours) - step) / np.linalg.norm(step))
    noise = float(np.linalg.norm(moved(before, disturbed) - step) / np.linalg.norm(step))
    returned = distance(predicted_by_dcnn(last, data), log_probabilities(back, x))

    one = trained(at("run1"), data, at("a.keras"), 1, "--replace-head")
    three = trained(at("run3"), data, at("a.keras"), 3, "--replace-head")
    good = numbers <= SAME and steps <= max(STEPS, 10 * noise) and returned <= SAME and one == three
    print(
        f"| {name} | {side} | {model.count_params():,} | {numbers:.0e} | {steps:.0e} | {noise:.0e} | "
        f"{'same' if one == three else 'DIFFER'} | {returned:.0e} | {'yes' if good else 'WRONG'} |",
        flush=True,
    )
    return good


def main():
    os.makedirs(FOLDER, exist_ok=True)
    print("| model | side | parameters | numbers | 3 steps | noise | 1 and 3 ranks | returned | all right |")
    print("|" + 9 * "---|")
    bad = 0
    for name in sys.argv[3:] or SIDES:
        try:
            bad += not check(name)
        except Exception as error:  # the table goes on
            bad += 1
            print(f"| {name} | {SIDES.get(name, '?')} | | | | | | | {str(error)[:300]} |", flush=True)
        for file in os.listdir(FOLDER):
            if file.startswith(name + "-"):
                whole = os.path.join(FOLDER, file)
                shutil.rmtree(whole) if os.path.isdir(whole) else os.remove(whole)
        keras.backend.clear_session()
        gc.collect()
    print(f"{bad} wrong")
    sys.exit(bad > 0)


main()
