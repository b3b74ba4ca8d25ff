# SPDX-License-Identifier: BSD-3-Clause
"""Keras on TensorFlow in its fastest mode on CPUs: train_on_batch; inference by one tf.function."""
import os

import common

o = common.options()
os.environ.update(KERAS_BACKEND="tensorflow", CUDA_VISIBLE_DEVICES="", TF_CPP_MIN_LOG_LEVEL="3")
import keras
import numpy as np
import tensorflow as tf
from keras import layers as kl

tf.config.threading.set_intra_op_parallelism_threads(o.threads)
tf.config.threading.set_inter_op_parallelism_threads(1)
keras.utils.set_random_seed(0)

MAKERS = {
    "conv": lambda filters, kernel, stride, padding: kl.Conv2D(filters, kernel, stride, padding),
    "dense": kl.Dense,
    "max_pool": kl.MaxPooling2D,
    "average_pool": kl.AveragePooling2D,
    "batch_norm": kl.BatchNormalization,
    "global_average": kl.GlobalAveragePooling2D,
    "flatten": kl.Flatten,
    "relu": kl.ReLU,
    "tanh": lambda: kl.Activation("tanh"),
}

shape, layers = common.net(o)
x, labels = common.pictures(o, shape)
y = np.eye(10, dtype=np.float32)[labels]
model = keras.Sequential([kl.Input(shape), *(MAKERS[kind](*n) for kind, *n in layers), kl.Activation("softmax")])
model.compile(keras.optimizers.Adam(1e-3), "categorical_crossentropy")
batches = common.Batches(o, len(x))
last = None


def train():
    global last
    batch = batches.next()
    last = model.train_on_batch(x[batch], y[batch])


@tf.function(reduce_retracing=True)
def classify(pictures):
    return tf.argmax(model(pictures, training=False), 1)


def infer():
    return int(classify(tf.constant(x[batches.next()]))[0])


trained = common.measure(o, train, 0.7 * o.seconds)
version = f"Keras {keras.__version__} on TensorFlow {tf.__version__}"
common.report(version, trained, common.measure(o, infer, 0.3 * o.seconds), last[0] if isinstance(last, list) else last)
