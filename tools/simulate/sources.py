#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What tools/simulate/step.c is built of: dcnn's whole communication, and what that needs.

  tools/simulate/sources.py mpicc -O0 -o step    builds it, as the test "simulate" does
"""
import glob
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BASE = ("status", "text", "log", "arena", "futex", "launcher", "cores", "barrier")


def step_sources():
    names = [f"tools/simulate/{name}.c" for name in ("step", "stand_ins")]
    names += sorted(os.path.relpath(path, ROOT) for pattern in ("comm*.c", "gradient/*.c")
                    for path in glob.glob(os.path.join(ROOT, "src/comm", pattern)) if not path.endswith("_serial.c"))
    return names + ["src/comm/tree.c"] + [f"src/base/{name}.c" for name in BASE]


def build_step(compiler, *words):
    sources = [os.path.join(ROOT, name) for name in step_sources()]
    include = ["-I" + os.path.join(ROOT, name) for name in ("src", "include")]
    subprocess.run([compiler, "-D_GNU_SOURCE", *include, *words[:-2], *sources, *words[-2:]], check=True)


if __name__ == "__main__":
    build_step(*sys.argv[1:])
