# SPDX-License-Identifier: BSD-3-Clause
# srun --mpi=pmix, by a script of dcnn slurm: a rank that stands still is named, and the job starts again; a whole job may
# stand still for longer than that.
"$DCNN" slurm "${training[@]}" --epochs 100000 --run still --timeout 6 --nodes 2 --time 10 --ranks-per-node 1 --launcher srun \
    --job-name still >job.sh
shellcheck job.sh
slurm sbatch --test-only job.sh
submit --exclude=n3 job.sh
within 30 past still 10
slurm scontrol suspend "$job"
sleep 8
slurm scontrol resume "$job"
goes_on still
on n1 kill -STOP "$(rank_on n1 still)"
within 12 said 'dcnn: rank 0 on n1 has given no sign of life for [45] s, though its host answers: the process is stuck \(last step [0-9]+\)'
within 15 said 'exit code (75|1[0-9]*): starting again'
within 30 said 'start 1 on'
goes_on still
stop still
same_as_undisturbed still
