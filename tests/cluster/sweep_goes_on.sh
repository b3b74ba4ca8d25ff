# SPDX-License-Identifier: BSD-3-Clause
# A task of an array that is told to stop is started again, and no other: the last one has the whole array's number.
submit --nodes=1 --exclude=n3 --ntasks-per-node=1 --array=0-1 --output=task-%a.out \
    "$DCNN_JOBS/sweep.sbatch" seed 1,2 "${training[@]}" --epochs 100000
within 30 past "runs/sweep-$job/seed-1" 10
within 30 past "runs/sweep-$job/seed-2" 10
slurm scancel --signal=USR1 --batch "${job}_1"
within 20 grep -q 'saved: go on' task-1.out
within 30 grep -q 'start 1 on .*, run .*/seed-2, from' task-1.out
goes_on "runs/sweep-$job/seed-1"
goes_on "runs/sweep-$job/seed-2"
slurm scancel "$job"
within 20 is_over
cat task-*.out
[[ $(grep -c 'start [0-9]* on' task-0.out) == 1 ]]
[[ $(grep -c 'start [0-9]* on' task-1.out) == 2 ]]
