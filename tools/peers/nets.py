# SPDX-License-Identifier: BSD-3-Clause
"""Branched nets for tools/compare_peers, as Keras JSON: nets.py NAME writes one to standard output.

They are those of the papers and of keras.applications at the sizes named, for 10 classes; where Keras pads by a layer of
its own before a stride of 2 they have padding "same", which costs the same.
"""
import json
import sys


class Graph:
    """Layers in order; each call adds one behind what it is given and returns its name."""

    def __init__(self, name, side):
        self.name, self.layers = name, []
        self.add("InputLayer", [], batch_shape=[None, side, side, 3])

    def add(self, kind, inputs, **config):
        name = f"{kind.lower()}_{len(self.layers)}"
        calls = [[[i, 0, 0, {}] for i in inputs]] if inputs else []
        self.layers.append({"class_name": kind, "name": name, "config": {"name": name, **config}, "inbound_nodes": calls})
        return name

    def last(self):
        return self.layers[-1]["name"]

    def conv(self, x, filters, kernel, stride=1, relu="relu", norm=True):
        x = self.add("Conv2D", [x], filters=filters, kernel_size=[kernel] * 2, strides=[stride] * 2, padding="same", use_bias=not norm)
        return self.normalised(x, relu) if norm else x

    def depthwise(self, x, stride):
        x = self.add("DepthwiseConv2D", [x], kernel_size=[3, 3], strides=[stride] * 2, padding="same", use_bias=False)
        return self.normalised(x, "relu6")

    def normalised(self, x, relu):
        x = self.add("BatchNormalization", [x])
        return self.relu(x, relu) if relu else x

    def relu(self, x, kind="relu"):
        return self.add("ReLU", [x], max_value=6.0) if kind == "relu6" else self.add("ReLU", [x])

    def head(self, x):
        x = self.add("GlobalAveragePooling2D", [x])
        self.add("Dense", [x], units=10, activation="softmax")
        return json.dumps({
            "class_name": "Functional",
            "config": {"name": self.name, "layers": self.layers, "input_layers": [[self.layers[0]["name"], 0, 0]],
                       "output_layers": [[self.last(), 0, 0]]},
        })  # fmt: skip


def resnet20():
    g = Graph("resnet20", 32)
    x = g.conv(g.last(), 16, 3)
    for filters in (16, 32, 64):
        for block in range(3):
            stride = 2 if filters > 16 and block == 0 else 1
            y = g.conv(g.conv(x, filters, 3, stride), filters, 3, relu=None)
            x = g.conv(x, filters, 1, stride, relu=None) if stride == 2 else x
            x = g.relu(g.add("Add", [x, y]))
    return g.head(x)


def mobilenet():
    g = Graph("mobilenet_half", 32)
    x = g.conv(g.last(), 16, 3, relu="relu6")
    for filters, stride in [(32, 1), (64, 2), (64, 1), (128, 2), (128, 1), (256, 2)] + 5 * [(256, 1)] + [(512, 2), (512, 1)]:
        x = g.conv(g.depthwise(x, stride), filters, 1, relu="relu6")
    return g.head(x)


def mobilenetv2():
    g = Graph("mobilenetv2_96", 96)
    x = g.conv(g.last(), 32, 3, 2, relu="relu6")
    channels = 32
    for expand, filters, blocks, first in [
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
    ]:  # fmt: skip
        for block in range(blocks):
            stride = first if block == 0 else 1
            y = g.conv(x, expand * channels, 1, relu="relu6") if expand > 1 else x
            y = g.conv(g.depthwise(y, stride), filters, 1, relu=None)
            x = g.add("Add", [x, y]) if stride == 1 and channels == filters else y
            channels = filters
    return g.head(g.conv(x, 1280, 1, relu="relu6"))


def resnet50():
    g = Graph("resnet50_96", 96)
    x = g.conv(g.last(), 64, 7, 2)
    x = g.add("MaxPooling2D", [x], pool_size=[3, 3], strides=[2, 2], padding="same")
    for filters, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            stride = 2 if filters > 64 and block == 0 else 1
            y = g.conv(g.conv(g.conv(x, filters, 1, stride), filters, 3), 4 * filters, 1, relu=None)
            x = g.conv(x, 4 * filters, 1, stride, relu=None) if block == 0 else x
            x = g.relu(g.add("Add", [x, y]))
    return g.head(x)


NETS = {"resnet20": resnet20, "mobilenet": mobilenet, "mobilenetv2": mobilenetv2, "resnet50": resnet50}

if __name__ == "__main__":
    print(NETS[sys.argv[1]]())
