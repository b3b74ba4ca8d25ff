# SPDX-License-Identifier: BSD-3-Clause
# A job of a more urgent partition takes the nodes: the training saves, waits, and goes on.
submit --nodes=1 --nodelist=n2 --exclusive --ntasks-per-node=2 "$DCNN_JOBS/train.sbatch" "${training[@]}" --epochs 100000 --run preempted
within 30 past preempted 10
slurm sbatch --partition=urgent --nodes=1 --nodelist=n2 --exclusive --ntasks-per-node=2 --output=urgent.out --wrap='sleep 5'
within 30 said 'stopped by SIGUSR1 after step [0-9]+, saved'
within 60 said 'start 1 on n2'
goes_on preempted
stop preempted
same_as_undisturbed preempted
