# SPDX-License-Identifier: BSD-3-Clause
"""Records what tests/test_onnx.c compares with: small networks as PyTorch's torch.onnx.export() writes them, by its old way
and its new one (which puts weights into a file beside the model), and what PyTorch makes of some inputs. By hand, with
torch, onnx, onnxscript and h5py: python tools/record_onnx.py [FOLDER [NETWORK...]]; NETWORKs are added to what is there

tools/check_onnx uses the same networks."""
import os
import sys
import warnings

import onnx
import torch
import torch.nn.functional as F
from torch import nn

SIDE, CLASSES = 16, 5


class Block(nn.Module):
    def __init__(self, i, o, stride=1):
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
        self.c2, self.b2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        self.down = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o)) if stride > 1 else None

    def forward(self, x):
        y = self.b2(self.c2(F.relu(self.b1(self.c1(x)))))
        return F.relu(y + (self.down(x) if self.down else x))


class ResNet(nn.Module):
    """As torchvision's: a 7x7 in strides of 2, a pooling with pads, residual blocks, a mean, a dense layer."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 7, 2, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.body = nn.Sequential(Block(6, 6), Block(6, 8, 2))
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(8, CLASSES)

    def forward(self, x):
        return self.fc(torch.flatten(self.pool(self.body(self.stem(x))), 1))


class Mobile(nn.Module):
    """Depthwise, squeeze and excitation, and the activations of MobileNet and EfficientNet."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish())
        self.depth = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1, groups=8, bias=False), nn.BatchNorm2d(8), nn.ReLU6())
        self.squeeze, self.excite = nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1)
        self.point = nn.Sequential(nn.Conv2d(8, 12, 1, bias=False), nn.BatchNorm2d(12), nn.SiLU())
        self.fc = nn.Linear(12, CLASSES)

    def forward(self, x):
        x = self.depth(self.first(x))
        x = x * F.hardsigmoid(self.excite(F.relu(self.squeeze(F.adaptive_avg_pool2d(x, 1)))))
        return self.fc(self.point(x).mean([2, 3]))


class Odd(nn.Module):
    """What else there is."""

    def __init__(self):
        super().__init__()
        self.c, self.prelu, self.up = nn.Conv2d(3, 8, 3, dilation=2, padding=2), nn.PReLU(8), nn.ConvTranspose2d(8, 4, 2, 2)
        self.grouped, self.elu, self.norm = nn.Conv2d(4, 8, 3, 2, 1, groups=2), nn.ELU(), nn.GroupNorm(4, 8)
        self.down, self.back = nn.Conv2d(16, 4, 3, stride=2), nn.ConvTranspose2d(4, 4, 3, 2, 1, 1)
        self.fc = nn.Linear(4 * 5 * 5, CLASSES)

    def forward(self, x):
        x = self.prelu(self.c(x))
        y = self.norm(self.elu(self.grouped(self.up(x))))
        z = F.pad(torch.cat([torch.tanh(x), torch.sigmoid(y)], 1), (1, 0, 0, 1))
        z = F.max_pool2d(F.relu(F.gelu(F.interpolate(z, scale_factor=2, mode="nearest"))), 3, ceil_mode=True)
        z = self.back(self.down(z))[:, :, 1:, :10]
        z = F.softplus(z) * 0.5 - F.selu(z)
        z = F.avg_pool2d((z + 0.25) / 2 + F.leaky_relu(z, 0.1), 2, 2, 1)
        return F.log_softmax(self.fc(z[:, :, :5, :5].reshape(x.size(0), -1)), 1)


class NeXt(nn.Module):
    """ConvNeXt's blocks: LayerNorm and dense layers of channels that are last, a factor of each; its norm by hand; nearest
    pixels to a size."""

    def __init__(self):
        super().__init__()
        self.stem, self.first, self.depth = nn.Conv2d(3, 8, 4, 4), nn.LayerNorm(8, eps=1e-6), nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.norm, self.wide, self.back = nn.LayerNorm(8, eps=1e-6), nn.Linear(8, 16), nn.Linear(16, 8)
        self.gamma, self.scale, self.shift = (nn.Parameter(torch.rand(8, *ones) + 0.3) for ones in ((), (1, 1), (1, 1)))
        self.up, self.last, self.fc = nn.Upsample(size=(6, 7), mode="nearest"), nn.LayerNorm(8), nn.Linear(8, CLASSES)

    def forward(self, x):
        x = self.first(self.stem(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        y = self.back(F.gelu(self.wide(self.norm(self.depth(x).permute(0, 2, 3, 1)))))
        x = x + (self.gamma * y).permute(0, 3, 1, 2)
        mean = x.mean(1, keepdim=True)
        x = (x - mean) / torch.sqrt((x - mean).pow(2).mean(1, keepdim=True) + 1e-6)
        x = self.up(self.scale * x + self.shift).clamp(-0.7, 1.5)
        x = x * torch.sigmoid(x.mean(1, keepdim=True) - torch.amax(x, 1, keepdim=True)) * F.softmax(x, 2)
        return self.fc(self.last(x.mean([2, 3]) * 30))


def plain():
    """The chain of every tutorial."""
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3), nn.LeakyReLU(0.1),
                         nn.AvgPool2d(2), nn.Flatten(), nn.Linear(72, 20), nn.ReLU(), nn.Dropout(0.5),
                         nn.Linear(20, CLASSES), nn.Softmax(dim=1))


def networks():
    torch.manual_seed(3)
    found = {"resnet": ResNet(), "mobile": Mobile(), "odd": Odd(), "plain": plain()}
    for model in found.values():
        model.train()
        with torch.no_grad():
            for _ in range(3):
                model(torch.randn(16, 3, SIDE, SIDE))
        model.eval()
    return {**found, "next": NeXt().eval()}


def drop_traces(path):
    """The new exporter writes beside each node which line of which file on this machine it came from."""
    model = onnx.load(path, load_external_data=False)
    for item in [model.graph, *model.graph.node, *model.graph.initializer, *model.graph.value_info,
                 *model.graph.input, *model.graph.output]:
        del item.metadata_props[:]
    onnx.save(model, path)


def export(model, x, path, way):
    warnings.filterwarnings("ignore")
    if way == "new":
        torch.onnx.export(model, (x,), path, dynamo=True, verbose=False)
        drop_traces(path)
        return
    keep = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False} if way == "kept" else {}
    torch.onnx.export(model, (x,), path, dynamo=False, input_names=["input"], output_names=["output"],
                      dynamic_axes={"input": {0: "batch"}}, opset_version=13 if way == "kept" else 17, **keep)


def main():
    import h5py
    only = sys.argv[2:]
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..", "tests", "expected")
    ways = {"resnet": "kept", "mobile": "new", "odd": "old", "plain": "new", "next": "kept"}
    torch.manual_seed(5)
    x = torch.randn(2, 3, SIDE, SIDE)
    with h5py.File(os.path.join(folder, "onnx_outputs.h5"), "a" if only else "w") as f:
        if not only:
            f["inputs"] = x.numpy().transpose(0, 2, 3, 1)
        for name, model in networks().items():
            if only and name not in only:
                continue
            export(model, x, os.path.join(folder, "onnx_%s.onnx" % name), ways[name])
            y = model(x).detach()
            f[name] = (y if name == "plain" else torch.softmax(y, 1)).numpy()


if __name__ == "__main__":
    main()
