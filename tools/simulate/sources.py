# SPDX-License-Identifier: BSD-3-Clause
"""What tools/simulate/step.c is built of: dcnn's whole communication, and what that needs."""
import glob
import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def step_sources(*more_of_base):
    names = [f"tools/simulate/{name}.c" for name in ("step", "stand_ins")]
    names += sorted(os.path.relpath(path, ROOT) for pattern in ("comm*.c", "gradient/*.c")
                    for path in glob.glob(os.path.join(ROOT, "src/comm", pattern)) if not path.endswith("_serial.c"))
    names += ["src/comm/tree.c"]
    return names + [f"src/base/{name}.c" for name in ("status", "text", "log", "arena", "futex", "launcher", *more_of_base)]
