# SPDX-License-Identifier: BSD-3-Clause
"""The comparisons of tools/check_keras, with the embedded digits and the recipe's net (data/models/digits.json).

    check_keras.py KERAS_PEER FOLDER    (KERAS_PEER: the program of tests/keras_peer.c; FOLDER: for files)

dcnn writes, Keras reads:  layers, weights, Adam's settings and moments; predictions; and one more training step taken by
                           both from the same file: weights, moving statistics and moments after it. Keras 3 (3.15 still)
                           forgets the moments of every .h5 it loads, its own too: it builds the optimizer for
                           model._trainable_variables, which lacks those of the layers. restore_adam() does what it meant.
Keras writes, dcnn reads:  a model trained a little by Keras, as model.save() writes it: predictions
RandomCrop:                a run's best.h5, and dcnn's export of Keras' own model, mean in Keras what they do in dcnn
"""

import gzip
import json
import logging
import os
import subprocess
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
logging.disable(logging.WARNING)  # that .h5 is legacy
import h5py
import keras
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "data")
PEER, FOLDER = sys.argv[1:]
bad = False


def check(what, error, bound):
    global bad
    good = bool(error <= bound)  # a NaN is not
    bad = bad or not good
    print("%-76s %8.1e  allowed %.0e  %s" % (what, error, bound, "ok" if good else "WRONG"))


def same(what, truth):
    check(what, 0.0 if truth else 1.0, 0.0)


def path(name):
    return os.path.join(FOLDER, name)


def peer(*arguments):
    subprocess.run([PEER, *arguments], check=True)


def digits(count):
    with gzip.open(os.path.join(DATA, "mnist", "train-images-idx3-ubyte.gz")) as f:
        f.read(16)
        images = np.frombuffer(f.read(count * 784), np.uint8).reshape(count, 28, 28, 1)
    with gzip.open(os.path.join(DATA, "mnist", "train-labels-idx1-ubyte.gz")) as f:
        f.read(8)
        labels = np.frombuffer(f.read(count), np.uint8).astype(np.int32)
    return ((images / 255.0 - 0.1307) / 0.3081).astype(np.float32), labels


def predict_with_dcnn(model, images):
    images.tofile(path("images.bin"))
    peer("predict", model, path("images.bin"), path("probabilities.bin"))
    return np.fromfile(path("probabilities.bin"), np.float32).reshape(len(images), -1)


def distance(a, b):
    return max(float(np.abs(np.asarray(x, np.float64) - np.asarray(y, np.float64)).max()) for x, y in zip(a, b))


def tensors_in(file):
    """All data sets of a file, by name."""
    found = {}
    with h5py.File(file) as f:
        f.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def adam_of(model):
    return [np.asarray(v) for v in model.optimizer.variables]


def described(model):
    return {**json.loads(model.to_json()), "compile_config": None}


def restore_adam(model, file):
    adam = keras.optimizers.Adam.from_config(model.optimizer.get_config())
    model.compile(adam, "sparse_categorical_crossentropy")
    adam.build(model.trainable_variables)
    with h5py.File(file) as f:
        group = f["dcnn/optimizer_weights"]
        adam.set_weights([group[name][()] for name in group.attrs["weight_names"]])


def dcnn_to_keras(images, labels):
    ours = path("dcnn.h5")
    peer("write", os.path.join(DATA, "models", "digits.json"), ours)
    model = keras.models.load_model(ours)
    stored = tensors_in(ours)
    with open(os.path.join(DATA, "models", "digits.json")) as f:
        same("dcnn -> Keras: the description, as Keras itself writes it",
             described(keras.models.model_from_json(f.read())) == described(model))
    same("dcnn -> Keras: every weight, bit for bit",
         all(np.array_equal(np.asarray(w), stored["model_weights/%s/%s/%s" % (l.name, l.name, w.name)])
             for l in model.layers for w in l.weights) and model.count_params() == 508170)
    settings = model.optimizer.get_config()
    same("dcnn -> Keras: compiled with dcnn's Adam (rate, betas, epsilon)",
         np.allclose([settings[k] for k in ("learning_rate", "beta_1", "beta_2", "epsilon")], [2e-3, 0.85, 0.99, 1e-5],
                     rtol=1e-7))
    restore_adam(model, ours)
    names = h5py.File(ours)["dcnn/optimizer_weights"].attrs["weight_names"]
    kept = [stored["dcnn/optimizer_weights/" + n.decode()] for n in names]
    same("dcnn -> Keras: Adam's state (iteration, rate, m and v), bit for bit",
         len(kept) == len(adam_of(model)) and all(np.array_equal(a, b) for a, b in zip(kept, adam_of(model))))
    check("dcnn -> Keras: probabilities of %d digits, largest difference" % len(images),
          distance([model.predict(images, verbose=0)], [predict_with_dcnn(ours, images)]), 1e-5)

    stepped = path("dcnn-stepped.h5")
    labels.tofile(path("labels.bin"))
    peer("step", ours, path("images.bin"), path("labels.bin"), stepped)
    before = [np.asarray(w) for w in model.trainable_weights]
    model.train_on_batch(images, labels)
    after = tensors_in(stepped)
    where = ["model_weights/%s/%s/%s" % (l.name, l.name, w.name) for l in model.layers for w in l.trainable_weights]
    moved = distance(before, model.trainable_weights)
    check("one step by both: weights after it, largest difference (they moved up to %.0e)" % moved,
          distance(model.trainable_weights, [after[n] for n in where]), 2e-6)
    where = ["model_weights/%s/%s/%s" % (l.name, l.name, w.name) for l in model.layers
             for w in l.non_trainable_weights]
    check("one step by both: moving means and variances, largest difference",
          distance(model.non_trainable_weights, [after[n] for n in where]), 2e-6)
    check("one step by both: Adam's moments, largest difference",
          distance(adam_of(model)[2:], [after["dcnn/optimizer_weights/" + n.decode()] for n in names[2:]]), 5e-6)
    model.save(path("again.h5"))
    check("dcnn -> Keras -> dcnn: probabilities after that step, largest difference",
          distance([model.predict(images, verbose=0)], [predict_with_dcnn(path("again.h5"), images)]), 1e-5)


def keras_to_dcnn(images, labels):
    keras.utils.set_random_seed(5)
    with open(os.path.join(DATA, "models", "digits.json")) as f:
        model = keras.models.model_from_json(f.read())
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(images, labels, batch_size=16, epochs=2, verbose=0)
    model.save(path("keras.h5"))
    check("Keras -> dcnn: probabilities of %d digits, largest difference" % len(images),
          distance([model.predict(images, verbose=0)], [predict_with_dcnn(path("keras.h5"), images)]), 1e-5)


def odd_layers(images, labels):
    """What the recipe's net does not have."""
    layers = keras.layers
    keras.utils.set_random_seed(6)
    model = keras.Sequential([
        keras.Input((28, 28, 1)), layers.Conv2D(6, (5, 3), strides=2, padding="same", activation="tanh"),
        layers.AveragePooling2D(2, strides=1, padding="same"), layers.BatchNormalization(scale=False, epsilon=0.01),
        layers.Conv2D(8, 3, use_bias=False), layers.ReLU(), layers.MaxPooling2D(3, strides=2, padding="same"),
        layers.Conv2D(16, 2, padding="same", activation="sigmoid"), layers.Dropout(0.3),
        layers.GlobalAveragePooling2D(), layers.Dense(20, use_bias=False), layers.BatchNormalization(center=False),
        layers.Activation("relu"), layers.Dense(10), layers.Softmax()])
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(images, labels, batch_size=16, epochs=2, verbose=0)
    model.save(path("odd.h5"))
    check("Keras -> dcnn: a net of every other layer, largest difference",
          distance([model.predict(images, verbose=0)], [predict_with_dcnn(path("odd.h5"), images)]), 1e-5)


def crops(images, labels):
    """At inference Keras 3.7 and later hand on the whole image behind a RandomCrop, which dcnn's files must not mean."""
    dcnn, layers = os.path.join(os.path.dirname(PEER), "..", "dcnn"), keras.layers
    keras.utils.set_random_seed(7)
    inputs = keras.Input((28, 28, 1))
    cropped = layers.RandomCrop(20, 24)(inputs)
    both = layers.Concatenate()([layers.Cropping2D(1)(cropped), layers.Conv2D(4, 3, activation="relu")(cropped)])
    outputs = layers.Dense(10, activation="softmax")(layers.GlobalMaxPooling2D()(both))
    model = keras.Model(inputs, outputs)
    model.save(path("crop.keras"))
    pixels = np.round(images * 0.3081 * 255 + 0.1307 * 255).astype(np.uint8)
    np.savez(path("crop.npz"), images=pixels, labels=labels)
    for command in (["export", path("crop.keras"), "--force", "-o", path("crop.h5")],
                    ["prepare", path("crop.npz"), "--force", "-o", path("crop-data.h5")],
                    ["train", path("crop-data.h5"), "--model", path("crop.keras"), "--epochs", "1", "--no-report",
                     "--overwrite", "--run", path("crop-run")]):
        subprocess.run([dcnn, *command], check=True, capture_output=True)
    for file in ("crop.h5", "crop-run/best.h5"):
        check("dcnn -> Keras: a RandomCrop in %s, largest difference" % file,
              distance([keras.models.load_model(path(file)).predict(images, verbose=0)],
                       [predict_with_dcnn(path(file), images)]), 1e-5)


def main():
    print("Keras %s on %s" % (keras.__version__, keras.backend.backend()))
    images, labels = digits(32)
    dcnn_to_keras(images, labels)
    keras_to_dcnn(images, labels)
    odd_layers(images, labels)
    crops(images, labels)
    sys.exit(1 if bad else 0)


main()
