# SPDX-License-Identifier: BSD-3-Clause
# Starts: scripts that Slurm takes, wrong starts that dcnn refuses, one folder for one job.
for script in train scaling sweep; do slurm sbatch --test-only "$DCNN_JOBS/$script.sbatch" 2>&1; done

# refused COMMAND...: fails; fills `said`.
refused() { if said=$("$@" 2>&1); then echo "not refused: $*"; else echo "$said"; fi; }

# srun without PMIx starts lone processes, which would write the same files.
refused slurm srun --nodes=2 --exclude=n3 --mpi=none "$DCNN" train "${training[@]}" --run lone
(($(grep -c "^dcnn: srun started 2 tasks, but without the PMIx that Open MPI .* needs .*: use 'srun --mpi=pmix dcnn" <<<"$said") == 1))
[[ ! -e lone ]]

# More ranks than cores.
DCNN_OVERSUBSCRIBE=0 refused slurm srun --mpi=pmix --nodes=1 --ntasks=$(($(nproc) + 1)) "$DCNN" train "${training[@]}" --run many
grep "dcnn: $(($(nproc) + 1)) ranks on n[123], which has $(nproc) cores\? for them: start 'srun --mpi=pmix --ntasks-per-node=$(nproc) " <<<"$said"

# The second job of a folder is refused, and says by whom.
submit --nodes=1 --exclude=n3 --ntasks-per-node=1 "$DCNN_JOBS/train.sbatch" "${training[@]}" --epochs 100000 --run shared
first=$job
within 30 past shared 10
submit --nodes=1 --nodelist=n2 --ntasks-per-node=1 "$DCNN_JOBS/train.sbatch" "${training[@]}" --epochs 100000 --run shared
within 30 is_over
said "dcnn: shared: another training is using this run, process [0-9]+ on n[12] \(Slurm job $first\), since"

# A job that is cancelled saves, too, but does not start again.
job=$first
slurm scancel "$job"
within 20 is_over
[[ ! -e shared/run.lock ]]
said 'cancelled: the same call with --run shared goes on from shared/checkpoints'

# What is not there is no reason to start again.
submit --nodes=1 --exclude=n3 --ntasks-per-node=1 "$DCNN_JOBS/train.sbatch" absent.h5
within 30 is_over
said 'dcnn: absent.h5: No such file'
