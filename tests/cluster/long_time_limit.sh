# SPDX-License-Identifier: BSD-3-Clause
# The time of a job ends, really: it saves, is queued again, and goes on.
submit --time=1 --signal=B:USR1@10 --nodes=1 --exclude=n2,n3 --ntasks-per-node=2 "$DCNN_JOBS/train.sbatch" "${training[@]}" \
    --epochs 100000 --run limit
within 30 past limit 10
within 90 said 'start 1 on'
said 'stopped by (SIGUSR1|the near end of the job.s time) after step [0-9]+, saved'
goes_on limit
stop limit
same_as_undisturbed limit
