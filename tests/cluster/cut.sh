# SPDX-License-Identifier: BSD-3-Clause
# A host's link is cut in the middle of the work: the job ends by itself, and goes on with the one node that is left.
"$DCNN" slurm "${training[@]}" --epochs 100000 --run cut --timeout 6 --nodes 1-2 --time 10 --ranks-per-node 2 \
    --launcher mpirun >job.sh
submit --exclude=n2 job.sh
within 30 past cut 10
within 10 has_rank_on n3 cut
"$cluster/slurm" hosts cut n3
within 12 said 'dcnn: rank [23] on n3 and 1 other rank have given no sign of life for [45] s, nor does its host answer'
within 50 said 'start 1 on n1, run cut, from'
goes_on cut
stop cut
same_as_undisturbed cut
"$cluster/slurm" hosts heal n3
