# SPDX-License-Identifier: BSD-3-Clause
"""What the peers' benchmarks share: options, images, the net from its Keras JSON, and the clock. Needs numpy."""
import argparse
import gzip
import json
import os
import statistics
import time

WARM_UP = 4


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True, help="Keras JSON")
    parser.add_argument("--digits", required=True, help="folder of MNIST's IDX files")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1, help="that share each batch, where the peer knows how")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--compile", action="store_true", help="where the peer can: PyTorch's torch.compile")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32", help="bf16 where the peer knows how")
    return parser.parse_args()


def read_idx(folder, name):
    import numpy as np

    with gzip.open(os.path.join(folder, name + ".gz")) as file:
        raw = file.read()
    rank = raw[3]
    dims = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(rank)]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(dims)


def pictures(o, shape):
    """(x, y): standardised float32 [n,h,w,c] and int64 labels; the digits if they fit, else noise."""
    import numpy as np

    random = np.random.default_rng(0)
    if shape == (28, 28, 1):
        x = read_idx(o.digits, "train-images-idx3-ubyte")[..., None].astype(np.float32)
        y = read_idx(o.digits, "train-labels-idx1-ubyte").astype(np.int64)
        order = random.permutation(len(x))
        x, y = x[order], y[order]
    else:
        x = random.integers(0, 256, (max(2048, 2 * o.batch_size), *shape), np.uint8).astype(np.float32)
        y = np.arange(len(x), dtype=np.int64) % 10
    return np.ascontiguousarray((x - x.mean()) / x.std()), y


def pair(value):
    return tuple(value) if isinstance(value, list) else (value, value)


def net(o):
    """(shape, layers): each layer a tuple of its kind and numbers; activations are layers of their own.

    A ReLU before a max-pooling goes behind it: the same function, with a quarter of the work. It is what a user can do
    by hand to make a peer faster; dcnn does it by itself.
    """
    layers, shape = [], (28, 28, 1)  # the digits' where the model leaves it to the data
    for layer in json.load(open(o.model))["config"]["layers"]:
        kind, c = layer["class_name"], layer["config"]
        if kind == "InputLayer":
            shape = tuple(c["batch_shape"][1:])
        elif kind == "Conv2D":
            layers.append(("conv", c["filters"], pair(c["kernel_size"])[0], pair(c.get("strides", 1))[0], c.get("padding", "valid")))
        elif kind in ("MaxPooling2D", "AveragePooling2D"):
            layers.append(("max_pool" if kind == "MaxPooling2D" else "average_pool", pair(c.get("pool_size", 2))[0]))
        elif kind == "BatchNormalization":
            layers.append(("batch_norm",))
        elif kind == "GlobalAveragePooling2D":
            layers.append(("global_average",))
        elif kind == "Flatten":
            layers.append(("flatten",))
        elif kind == "Dense":
            layers.append(("dense", c["units"]))
        elif kind != "Activation":
            raise SystemExit(f"{o.model}: no layer {kind} in tools/peers")
        if c.get("activation") in ("relu", "tanh"):
            layers.append((c["activation"],))
    for i in range(len(layers) - 1):
        if layers[i] == ("relu",) and layers[i + 1][0] == "max_pool":
            layers[i], layers[i + 1] = layers[i + 1], layers[i]
    return shape, layers


def is_graph(o):
    return json.load(open(o.model))["class_name"] == "Functional"


def graph(o):
    """(shape, nodes): each node (name, names of its inputs, kind, numbers), in order; of nets that nets.py writes."""
    shape, nodes = None, []
    for layer in json.load(open(o.model))["config"]["layers"]:
        kind, c = layer["class_name"], layer["config"]
        inputs = [word[0] for call in layer["inbound_nodes"] for word in call]
        if kind == "InputLayer":
            shape = tuple(c["batch_shape"][1:])
        nodes.append((layer["name"], inputs, kind, c))
    return shape, nodes


class Batches:
    """Slices of the images, one behind the other; of each batch the share of one process."""

    def __init__(self, o, count, rank=0):
        self.size, self.count, self.at = o.batch_size, count, 0
        self.share = [o.batch_size * r // o.processes for r in (rank, rank + 1)]

    def next(self):
        if self.at + self.size > self.count:
            self.at = 0
        first = self.at
        self.at += self.size
        return slice(first + self.share[0], first + self.share[1])


def measure(o, step, seconds, agreed=lambda more: more):
    """Images a second of step(), which runs one batch and waits for it: (of the median call, over all the time).

    agreed() makes what one process wants to do what all do: they must take the same number of steps.
    """
    for _ in range(WARM_UP):
        step()
    times, began = [], time.perf_counter()
    before = began
    while agreed(len(times) < 5 or before - began < seconds):
        step()
        now = time.perf_counter()
        times.append(now - before)
        before = now
    return o.batch_size / statistics.median(times), o.batch_size * len(times) / (before - began)


def report(version, train, infer, loss):
    """train and infer: what measure() gave."""
    result = {"version": version, "loss": float(loss)}
    for name, (median, overall) in (("train", train), ("infer", infer)):
        result.update({name + "_images_per_s": median, name + "_overall_per_s": overall})
    print(json.dumps(result))
