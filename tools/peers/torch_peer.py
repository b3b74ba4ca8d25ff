# SPDX-License-Identifier: BSD-3-Clause
"""PyTorch in its fastest modes on CPUs: channels last, fused Adam, eager or compiled; as several processes by DDP over
gloo."""
import os
import socket
import subprocess
import sys

import common

o = common.options()
if o.processes > 1 and "RANK" not in os.environ:  # the parent: it only starts the others
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        at = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "GLOO_SOCKET_IFNAME": "lo"}
    everyone = [
        subprocess.Popen([sys.executable, *sys.argv], env={**os.environ, **at, "RANK": str(rank), "WORLD_SIZE": str(o.processes)})
        for rank in range(o.processes)
    ]
    sys.exit(max(process.wait() for process in everyone))
rank = int(os.environ.get("RANK", 0))
if o.processes > 1:  # the cores are shared out before the threads start
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[(rank * o.threads + i) % len(cores)] for i in range(o.threads)})

import torch
from torch import nn

torch.manual_seed(0)
torch.set_num_threads(o.threads)
torch.set_num_interop_threads(1)
if o.processes > 1:
    torch.distributed.init_process_group("gloo")


def make(shape, layers):
    modules, (h, w, c) = [], shape
    for kind, *n in layers:
        if kind == "conv":
            filters, kernel, stride, padding = n
            # Keras' "same" with a stride pads one side only; one row more or less of zeros takes no time
            modules.append(nn.Conv2d(c, filters, kernel, stride, kernel // 2 if padding == "same" else 0))
            h, w = ((-(-s // stride) if padding == "same" else (s - kernel) // stride + 1) for s in (h, w))
            c = filters
        elif kind == "dense":
            modules.append(nn.Linear(h * w * c, n[0]))
            h, w, c = 1, 1, n[0]
        elif kind in ("max_pool", "average_pool"):
            modules.append((nn.MaxPool2d if kind == "max_pool" else nn.AvgPool2d)(n[0]))
            h, w = h // n[0], w // n[0]
        elif kind == "batch_norm":
            modules.append(nn.BatchNorm2d(c, eps=1e-3, momentum=0.01))
        elif kind == "global_average":
            modules += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
            h = w = 1
        else:
            modules.append({"relu": lambda: nn.ReLU(inplace=True), "tanh": nn.Tanh, "flatten": nn.Flatten}[kind]())
    for module in modules:
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    return nn.Sequential(*modules).to(memory_format=torch.channels_last)


class Graph(nn.Module):
    """A net with branches; "same" padding as above."""

    def __init__(self, shape, nodes):
        super().__init__()
        channels, self.nodes, self.parts = {}, [], nn.ModuleDict()
        for name, inputs, kind, c in nodes:
            before = channels[inputs[0]] if inputs else shape[2]
            channels[name] = c.get("filters", c.get("units", before))
            part = None
            if kind in ("Conv2D", "DepthwiseConv2D"):
                kernel, groups = c["kernel_size"][0], before if kind == "DepthwiseConv2D" else 1
                part = nn.Conv2d(before, channels[name], kernel, c["strides"][0], kernel // 2, groups=groups, bias=c["use_bias"])
            elif kind == "BatchNormalization":
                part = nn.BatchNorm2d(before, eps=1e-3, momentum=0.01)
            elif kind == "ReLU":
                part = nn.ReLU6(inplace=True) if "max_value" in c else nn.ReLU(inplace=True)
            elif kind == "MaxPooling2D":
                part = nn.MaxPool2d(c["pool_size"][0], c["strides"][0], c["pool_size"][0] // 2)
            elif kind == "GlobalAveragePooling2D":
                part = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
            elif kind == "Dense":
                part = nn.Linear(before, c["units"])
            if part is not None:
                self.parts[name] = part
            self.nodes.append((name, inputs))

    def forward(self, x):
        values = {self.nodes[0][0]: x}
        for name, inputs in self.nodes[1:]:
            read = [values[i] for i in inputs]
            values[name] = self.parts[name](*read) if name in self.parts else read[0] + read[1]
        return values[self.nodes[-1][0]]


if common.is_graph(o):
    shape, nodes = common.graph(o)
    model = Graph(shape, nodes).to(memory_format=torch.channels_last)
else:
    shape, layers = common.net(o)
    model = make(shape, layers)
pictures, labels = common.pictures(o, shape)
x, y = torch.from_numpy(pictures).permute(0, 3, 1, 2), torch.from_numpy(labels)  # channels last as it lies there
if o.compile:
    model = torch.compile(model)
if o.processes > 1:
    model = nn.parallel.DistributedDataParallel(
        model, gradient_as_bucket_view=True, broadcast_buffers=False, static_graph=True
    )
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused=True)
cross_entropy = nn.CrossEntropyLoss()
batches = common.Batches(o, len(x), rank)
last = None
mixed = torch.autocast("cpu", torch.bfloat16, enabled=o.precision == "bf16")


def agreed(more):
    """Rank 0's wish."""
    if o.processes == 1:
        return more
    wish = torch.tensor(more)
    torch.distributed.broadcast(wish, 0)
    return bool(wish)


def train():
    global last
    batch = batches.next()
    optimizer.zero_grad(set_to_none=True)
    with mixed:
        loss = cross_entropy(model(x[batch]), y[batch])
    loss.backward()
    optimizer.step()
    last = loss.item()


@torch.inference_mode()
def infer():
    with mixed:
        return int(model(x[batches.next()]).argmax(1)[0])


model.train()
trained = common.measure(o, train, 0.7 * o.seconds, agreed)
model.eval()
inferred = common.measure(o, infer, 0.3 * o.seconds, agreed)
if rank == 0:
    common.report("PyTorch " + torch.__version__, trained, inferred, last)
if o.processes > 1:
    torch.distributed.destroy_process_group()
