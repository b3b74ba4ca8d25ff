# SPDX-License-Identifier: BSD-3-Clause
"""Compares what TensorBoard reads in a run's event files with the run's metrics; called by check_tensorboard."""
import csv
import json
import os
import sys

import numpy
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def load(folder):
    everything = {"scalars": 0, "images": 0, "histograms": 0, "compressedHistograms": 0, "tensors": 0}
    accumulator = EventAccumulator(folder, size_guidance=everything)
    accumulator.Reload()
    return accumulator


def read_lines(run, name):
    path = os.path.join(run, name)
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return [json.loads(line) for line in file]


def check_order(tag, events):
    steps = [event.step for event in events]
    assert steps == sorted(set(steps)), f"{tag}: steps doubled or out of order: {steps}"


def points(accumulator, tag):
    """{step: value} of a tag; each step once, in order."""
    events = accumulator.Tensors(tag) if tag in accumulator.Tags()["tensors"] else accumulator.Scalars(tag)
    check_order(tag, events)
    value = lambda event: event.value if hasattr(event, "value") else event.tensor_proto.float_val[0]
    return {event.step: value(event) for event in events}


def check_scalars(accumulator, tag, expected):
    """The tag has exactly these points, in single precision; returns how many."""
    found = points(accumulator, tag)
    assert list(found) == list(expected), f"{tag}: steps {list(found)}, expected {list(expected)}"
    for step, number in expected.items():
        assert found[step] == numpy.float32(number), f"{tag}, step {step}: {found[step]}, not {number}"
    return len(expected)


def check_epochs(accumulator, run):
    with open(os.path.join(run, "metrics.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    compared = 0
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        expected = {int(row["epoch"]) + 1: row[name] for row in rows if row[name]}
        if not expected:
            continue
        compared += check_scalars(accumulator, f"epoch/{name}", expected)
        by_step = points(accumulator, f"step/{name}")
        assert list(by_step.values()) == list(points(accumulator, f"epoch/{name}").values()), f"{name} differs by step"
    return f"{compared} scalars of {len(rows)} epochs equal metrics.csv"


def check_batches(accumulator, run):
    lines, compared = read_lines(run, "steps.jsonl"), 0
    for name in ("loss", "accuracy", "learning_rate") if lines else ():
        compared += check_scalars(accumulator, f"batch/{name}", {line["step"]: line[name] for line in lines})
    return f"{compared} scalars of {len(lines)} steps equal steps.jsonl"


def check_histograms(accumulator, run):
    expected = {}
    for line in read_lines(run, "histograms.jsonl"):
        expected.setdefault(line["histogram"], {})[line["epoch"]] = line
    assert set(expected) == set(accumulator.Tags()["histograms"]), "tags of histograms differ"
    for tag, lines in expected.items():
        events = accumulator.Histograms(tag)
        check_order(tag, events)
        assert [event.step for event in events] == list(lines), f"{tag}: epochs differ"
        for event in events:
            line, seen = lines[event.step], event.histogram_value
            for key in ("min", "max", "num", "sum", "sum_squares", "bucket_limit", "bucket"):
                assert getattr(seen, key) == line[key], f"{tag}, epoch {event.step}: {key} differs"
    return f"{sum(map(len, expected.values()))} histograms equal histograms.jsonl"


def main(run):
    accumulator = load(run)
    print(f"{run}: {check_epochs(accumulator, run)},\n{check_batches(accumulator, run)} (all in single precision),")
    print(f"{check_histograms(accumulator, run)};", end=" ")
    folder = os.path.join(run, "figures")
    images = load(folder).Tags()["images"] if os.path.isdir(folder) else []
    print(f"{len(images)} figures")


main(sys.argv[1])
