# SPDX-License-Identifier: BSD-3-Clause
# srun, and a link that is cut: Slurm's own daemons do not hear of each other either.
is_idle() { [[ $(slurm sinfo -h -N -n "$1" -p batch -o %T) == idle ]]; }
within 180 is_idle n3 # after the case that cut it before, and those that use it now
"$DCNN" slurm "${training[@]}" --epochs 100000 --run sruncut --timeout 6 --nodes 1-2 --time 10 --ranks-per-node 1 \
    --launcher srun >job.sh
submit --exclude=n2 job.sh
within 30 past sruncut 10
within 10 has_rank_on n3 sruncut
"$cluster/slurm" hosts cut n3
within 12 said 'dcnn: rank 1 on n3 has given no sign of life for [45] s, nor does its host answer'
within 60 said 'start 1 on n1, run sruncut, from'
goes_on sruncut
stop sruncut
same_as_undisturbed sruncut
"$cluster/slurm" hosts heal n3
