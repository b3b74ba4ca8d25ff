# SPDX-License-Identifier: BSD-3-Clause
"""Compares dcnn's classification reports, by tests/classification_peer, with scikit-learn's; called by check_sklearn."""
import json
import re
import subprocess
import sys
import warnings

import numpy
import sklearn
from sklearn.metrics import classification_report, confusion_matrix

SETS = 600


def draw_set(generator):
    """True and predicted labels: of 2 to 30 classes, some of which never occur or are never predicted."""
    classes = int(generator.integers(2, 31))
    samples = int(generator.integers(1, 400))
    occurring = generator.choice(classes, int(generator.integers(1, classes + 1)), replace=False)
    predicted = generator.choice(classes, int(generator.integers(1, classes + 1)), replace=False)
    truth = generator.choice(occurring, samples)
    guess = numpy.where(generator.random(samples) < generator.random(), truth, generator.choice(predicted, samples))
    names = [f"{'class' * int(generator.integers(0, 5))}{i}" for i in range(classes)]
    return names, truth, guess


def peer_input(names, truth, guess):
    matrix = confusion_matrix(truth, guess, labels=range(len(names)))
    return f"{len(names)} {' '.join(names)} {' '.join(map(str, matrix.flatten()))}\n"


def as_integers(text):
    """Where no prediction is right, scikit-learn 1.9 prints supports as 4.0: dcnn prints counts as counts."""
    return re.sub(r"  (\d+)\.0$", r"    \1", text, flags=re.MULTILINE)


def check_dictionary(case, found, expected):
    assert list(found) == list(expected), f"set {case}: keys differ"
    for name, scores in expected.items():
        for key, value in scores.items() if isinstance(scores, dict) else [(None, scores)]:
            mine = found[name][key] if key else found[name]
            assert abs(mine - value) <= 1e-15, f"set {case}: {name}, {key}: {mine}, not {value}"


def main(peer):
    warnings.simplefilter("ignore")
    generator = numpy.random.default_rng(7)
    sets = [draw_set(generator) for _ in range(SETS)]
    said = subprocess.run([peer], input="".join(peer_input(*s) for s in sets), capture_output=True, text=True, check=True)
    lines = iter(said.stdout.splitlines())
    absent = wrong = 0
    for case, (names, truth, guess) in enumerate(sets):
        present = sorted(set(truth) | set(guess))
        arguments = dict(target_names=[names[i] for i in present], zero_division=0)
        expected = classification_report(truth, guess, **arguments)
        text = "\n".join(next(lines) for _ in expected.splitlines()) + "\n"
        wrong += text != expected
        assert text == (expected if (truth == guess).any() else as_integers(expected)), f"set {case}:\n{text}\n{expected}"
        check_dictionary(case, json.loads(next(lines)), classification_report(truth, guess, output_dict=True, **arguments))
        absent += len(present) < len(names)
    print(f"{SETS} reports equal those of scikit-learn {sklearn.__version__} to the last printed digit,")
    print(f"{absent} of them with classes that neither occur nor are predicted; in {wrong} no prediction is right, and scikit-learn prints")
    print("the supports with a decimal point, dcnn without")


main(sys.argv[1])
