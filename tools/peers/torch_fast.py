# SPDX-License-Identifier: BSD-3-Clause
"""PyTorch in the shortest time to an accuracy on MNIST's official test: a whole process, for tools/race.

The same freedom as dcnn's recipe `fast`: any network, one-cycle rates, bf16, channels last, fused Adam, torch.compile.
"""
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True, help="Keras JSON")
parser.add_argument("--digits", required=True, help="folder of MNIST's IDX files")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--epochs", type=int, default=2)
parser.add_argument("--batch-size", type=int, default=64)
parser.add_argument("--learning-rate", type=float, default=8e-3)
parser.add_argument("--label-smoothing", type=float, default=0)
parser.add_argument("--rotation", type=float, default=0, help="degrees, either way")
parser.add_argument("--zoom", type=float, default=0, help="fraction, either way")
parser.add_argument("--shift", type=float, default=0, help="fraction of a side, either way")
parser.add_argument("--shear", type=float, default=0, help="degrees, either way")
parser.add_argument("--precision", choices=["fp32", "bf16"], default="bf16")
parser.add_argument("--compile", action="store_true")
parser.add_argument("--validate", action="store_true", help="train on 54,000, test on the other 6,000: to choose by")
parser.add_argument("--seed", type=int, default=1)
o = parser.parse_args()

import math

import common
import torch
from torch import nn
from torch.nn import functional

torch.manual_seed(o.seed)
torch.set_num_threads(o.threads)
shape, layers = common.net(o)


def read(name):
    pixels = torch.from_numpy(common.read_idx(o.digits, name + "-images-idx3-ubyte").copy())
    labels = torch.from_numpy(common.read_idx(o.digits, name + "-labels-idx1-ubyte").copy())
    return pixels.view(-1, 1, *pixels.shape[1:]).float() / 255, labels.long()


x, y = read("train")
if o.validate:
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    (x, test_x), (y, test_y) = (x[order].split([54000, 6000])), (y[order].split([54000, 6000]))
else:
    test_x, test_y = read("t10k")
mean, std = x.mean(), x.std()
x, test_x, blank = (x - mean) / std, (test_x - mean) / std, float(-mean / std)

modules, (h, w, c) = [], shape
for kind, *n in layers:
    if kind == "conv":
        modules.append(nn.Conv2d(c, n[0], n[1]))
        h, w, c = h - n[1] + 1, w - n[1] + 1, n[0]
    elif kind == "max_pool":
        modules.append(nn.MaxPool2d(n[0]))
        h, w = h // n[0], w // n[0]
    elif kind == "dense":
        modules.append(nn.Linear(h * w * c, n[0]))
        h, w, c = 1, 1, n[0]
    else:
        modules.append({"batch_norm": lambda: nn.BatchNorm2d(c, eps=1e-3, momentum=0.05), "relu": lambda: nn.ReLU(inplace=True), "flatten": nn.Flatten}[kind]())
for module in modules:
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
net = nn.Sequential(*modules).to(memory_format=torch.channels_last)
model = torch.compile(net) if o.compile else net
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, eps=1e-7, fused=True)
steps = len(x) // o.batch_size
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, o.learning_rate, total_steps=o.epochs * steps)
mixed = torch.autocast("cpu", torch.bfloat16, enabled=o.precision == "bf16")


def changed(batch):
    if not (o.rotation or o.zoom or o.shift or o.shear):
        return batch
    n = len(batch)
    random = lambda most: (torch.rand(n) * 2 - 1) * most
    turn, move = random(math.radians(o.rotation)), [random(2 * o.shift) for _ in "xy"]
    zoom = [1 + random(o.zoom) for _ in "xy"]
    cos, sin, lean = torch.cos(turn), torch.sin(turn), torch.tan(random(math.radians(o.shear)))
    rows = [torch.stack([zoom[0] * cos, zoom[0] * (lean * cos - sin), move[0]], 1), torch.stack([zoom[1] * sin, zoom[1] * (lean * sin + cos), move[1]], 1)]
    grid = functional.affine_grid(torch.stack(rows, 1), list(batch.shape), align_corners=False)
    return functional.grid_sample(batch - blank, grid, align_corners=False) + blank


for _ in range(o.epochs):
    order = torch.randperm(len(x))
    pictures, labels = torch.cat([changed(x[rows]) for rows in order.split(2000)]), y[order]  # fewer, larger operations than batch by batch
    for step in range(steps):
        rows = slice(step * o.batch_size, (step + 1) * o.batch_size)
        optimizer.zero_grad(set_to_none=True)
        with mixed:
            loss = functional.cross_entropy(
                model(pictures[rows].contiguous(memory_format=torch.channels_last)).float(), labels[rows], label_smoothing=o.label_smoothing
            )
        loss.backward()
        optimizer.step()
        schedule.step()

net.eval()
with torch.inference_mode(), mixed:
    if o.rotation or o.zoom or o.shift or o.shear:  # the statistics are of changed images: made anew, as dcnn does
        net.train()
        for module in net:
            if isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()
                module.momentum = None
        for first in range(0, 20000, 1000):
            net(x[first : first + 1000].contiguous(memory_format=torch.channels_last))
        net.eval()
    right = sum(
        int((net(test_x[i : i + 1000].contiguous(memory_format=torch.channels_last)).argmax(1) == test_y[i : i + 1000]).sum())
        for i in range(0, len(test_x), 1000)
    )
print(f"official test accuracy {100 * right / len(test_x):.2f} % ({right:,} of {len(test_x):,})")
