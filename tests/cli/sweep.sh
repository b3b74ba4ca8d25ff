# SPDX-License-Identifier: BSD-3-Clause
# jobs/sweep.sbatch without Slurm: a task that ends while another one gathers leaves the whole table.
mkdir stubs
touch stubs/env.sh
cat >stubs/functions.sh <<'END'
fail() { echo "fail: $*" && exit 1; }
say() { echo "$*"; }
finish() { # VALUE: what a training leaves
    mkdir -p "$sweep/$option-$1" && printf 'epoch,loss\n1,0.5\n2,0.%d\n' "$1" >"$sweep/$option-$1/metrics.csv"
}
train() { finish "$value"; }
# The other task ends after this one has looked, and before its table is in place: the worst moment.
mv() {
    if [[ ! -e other_is_done ]]; then
        touch other_is_done
        finish 8 && echo 8 >"$sweep/$option-8/done"
        echo "the other one's table" >"$sweep/sweep.csv"
    fi
    command mv "$@"
}
END
export DCNN_JOBS=$PWD/stubs SLURM_SUBMIT_DIR=$PWD SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=0
bash "$DCNN_DATA/../jobs/sweep.sbatch" seed 4,8 small.h5
cat runs/sweep-7/sweep.csv
ls -A runs/sweep-7
SLURM_ARRAY_TASK_ID=5 bash "$DCNN_DATA/../jobs/sweep.sbatch" seed 4,8 || echo "exit $?"
