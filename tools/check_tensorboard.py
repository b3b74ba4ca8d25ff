"""Compares what TensorBoard reads in RUN/events.out.tfevents.dcnn with RUN/metrics.csv; called by check_tensorboard."""
import csv
import os
import sys

import numpy
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def load(folder):
    everything = {"scalars": 0, "images": 0, "histograms": 0, "compressedHistograms": 0, "tensors": 0}
    accumulator = EventAccumulator(folder, size_guidance=everything)
    accumulator.Reload()
    return accumulator


def points(accumulator, tag):
    """{step: value} of a tag; each step once, in order."""
    events = accumulator.Tensors(tag) if tag in accumulator.Tags()["tensors"] else accumulator.Scalars(tag)
    steps = [event.step for event in events]
    assert steps == sorted(set(steps)), f"{tag}: steps doubled or out of order: {steps}"
    value = lambda event: event.value if hasattr(event, "value") else event.tensor_proto.float_val[0]
    return {event.step: value(event) for event in events}


def main(run):
    with open(os.path.join(run, "metrics.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    scalars, compared = load(run), 0
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        expected = {int(row["epoch"]) + 1: row[name] for row in rows if row[name]}
        if not expected:
            continue
        by_epoch, by_step = points(scalars, f"epoch/{name}"), points(scalars, f"step/{name}")
        assert list(by_epoch) == list(expected), f"{name}: epochs {list(by_epoch)}, expected {list(expected)}"
        assert list(by_step.values()) == list(by_epoch.values()), f"{name} differs by step and by epoch"
        for epoch, text in expected.items():
            assert by_epoch[epoch] == numpy.float32(text), f"{name}, epoch {epoch}: {by_epoch[epoch]}, not {text}"
            compared += 1
    tags = scalars.Tags()
    figures_folder = os.path.join(run, "figures")
    figures = load(figures_folder).Tags() if os.path.isdir(figures_folder) else {"images": [], "tensors": []}
    print(f"{run}: {compared} scalars of {len(rows)} epochs equal metrics.csv (in single precision);",
          f"{len(tags['histograms'])} histograms, {len(figures['images'])} figures")


main(sys.argv[1])
