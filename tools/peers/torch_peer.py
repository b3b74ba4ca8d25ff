# SPDX-License-Identifier: BSD-3-Clause
"""PyTorch in its fastest mode on CPUs: eager, channels last, fused Adam; as several processes by DDP over gloo."""
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


shape, layers = common.net(o)
pictures, labels = common.pictures(o, shape)
x, y = torch.from_numpy(pictures).permute(0, 3, 1, 2), torch.from_numpy(labels)  # channels last as it lies there
model = make(shape, layers)
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
