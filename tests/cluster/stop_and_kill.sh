# SPDX-License-Identifier: BSD-3-Clause
# mpirun: told to stop, the job saves, is queued again and goes on; so it does after kill -9 of a rank.
submit --nodes=2 --exclude=n3 --ntasks-per-node=2 "$DCNN_JOBS/train.sbatch" "${training[@]}" --epochs 100000 --run killed
within 30 past killed 10
slurm scancel --signal=USR1 --batch "$job"
within 20 said 'stopped by SIGUSR1 after step [0-9]+, saved'
within 20 said 'exit code 75: starting again'
within 30 said 'start 1 on n\[1-2\], run killed, from killed/checkpoints'
within 30 has_rank_on n2 killed
goes_on killed
on n2 kill -KILL "$(rank_on n2 killed)"
within 15 said 'dcnn: rank [23] on n2 has died \(last step [0-9]+\)'
within 15 said 'exit code 137: starting again'
within 30 said 'start 2 on'
goes_on killed
stop killed
same_as_undisturbed killed
