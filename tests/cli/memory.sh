# SPDX-License-Identifier: BSD-3-Clause
# A rank that dies before there is a checkpoint: nothing is said of going on from one.
mpirun -np 2 dcnn train --run early --no-report -q >early.said 2>&1 &
launcher=$!
for _ in $(seq 400); do
    if [[ -e early/run.json ]]; then break; fi
    sleep 0.05
done
sleep 0.3
for process in $(pgrep -f 'dcnn train --run early '); do
    if [[ $(readlink "/proc/$process/cwd") == "$PWD" ]] && grep -qz '^OMPI_COMM_WORLD_RANK=1$' "/proc/$process/environ"; then
        kill -KILL "$process"
    fi
done
wait "$launcher" || echo "exit $?"
grep '^dcnn' early.said | sed -E 's/step [0-9]+/step N/; s/ on [^ ]+ has/ on HOST has/'
