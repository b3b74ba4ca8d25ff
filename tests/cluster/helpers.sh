# SPDX-License-Identifier: BSD-3-Clause
# helpers.sh CASE.sh: what cases use, then the case itself. A case ends at the first thing that is not as it must be.
set -euo pipefail
cluster=$(dirname "$(readlink -f "$0")")
export DCNN_JOBS
complete=
trap 'if [[ -z $complete ]]; then echo "not so: $BASH_COMMAND"; tail -n 40 ./*.out 2>/dev/null; fi' EXIT

slurm() { "$cluster/slurm" run "$@"; }
on() { "$cluster/slurm" hosts on "$@"; }

# within SECONDS COMMAND...: COMMAND succeeds by then.
within() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS > end)); then
            echo "not within the time: $*"
            return 1
        fi
        sleep 0.2
    done
}

# submit ARGUMENTS...: of sbatch; fills `job`.
submit() { job=$(slurm sbatch --parsable --output=job-%j.out "$@"); }

# said PATTERN [TIMES]: the job has said so, so often.
said() { (($(grep -cE -- "$1" "job-$job.out") >= ${2:-1})); }

is_in_state() { [[ $(slurm squeue -h -j "$job" -o %T) == "$1" ]]; }
is_over() { [[ -z $(slurm squeue -h -j "$job" 2>/dev/null) ]]; }

# steps RUN: the number of its newest checkpoint; past RUN STEP: it is beyond that step.
steps() {
    if [[ ! -d $1/checkpoints ]]; then return; fi
    find "$1/checkpoints" -name 'step-*.h5' | sort | tail -n 1 | sed -E 's/.*step-0*([0-9]+).*/\1/'
}
past() {
    local now
    now=$(steps "$1")
    ((${now:-0} > $2))
}
goes_on() {
    local now
    now=$(steps "$1")
    within 40 past "$1" "${now:-0}"
}

# rank_on HOST RUN: the process of a rank there. Cases share the hosts: each has run names of its own.
rank_on() { on "$1" pgrep -f "^[^ ]*dcnn train .*--run $2 " | tail -n 1; }
has_rank_on() { [[ -n $(rank_on "$1" "$2") ]]; }

# What is trained: a small net on small images, endlessly, so that nothing depends on this machine's speed.
cat >net.json <<'END'
{"class_name": "Sequential", "config": {"layers": [
  {"class_name": "InputLayer", "config": {"batch_shape": [null, 28, 28, 1]}},
  {"class_name": "Conv2D", "config": {"filters": 4, "kernel_size": 3, "activation": "relu"}},
  {"class_name": "MaxPooling2D", "config": {}},
  {"class_name": "BatchNormalization", "config": {}},
  {"class_name": "Flatten", "config": {}},
  {"class_name": "Dense", "config": {"units": 10, "activation": "softmax"}}]}}
END
"$DCNN" prepare "$DCNN_DATA/mnist" --limit 1000 -o data.h5 >/dev/null 2>&1
training=(data.h5 --model net.json --batch-size 64 --schedule constant --checkpoint-every 10 --no-report --no-tensorboard -q)

hash_at() { "$DCNN" info "$1" | sed -n 's/^weights hash *//p'; }

# same_as_undisturbed RUN: its newest checkpoint has the weights of a run of one process that nobody disturbed.
same_as_undisturbed() {
    local step name
    step=$(steps "$1")
    name=$(printf 'checkpoints/step-%08d.h5' "$step")
    "$DCNN" train "${training[@]}" --epochs 100000 --run "undisturbed-$1" --stop-after "$step" >/dev/null 2>&1 || (($? == 75))
    echo "$1, step $step: $(hash_at "$1/$name")"
    echo "undisturbed:    $(hash_at "undisturbed-$1/$name")"
    [[ $(hash_at "$1/$name") == "$(hash_at "undisturbed-$1/$name")" ]]
}

# stop RUN: has the job save and end, for good.
stop() {
    local before
    before=$(grep -c 'saved: go on' "job-$job.out" || true)
    slurm scancel --signal=USR1 --batch "$job"
    within 20 said 'saved: go on' $((before + 1))
    within 20 is_in_state PENDING
    slurm scancel "$job"
    within 20 is_over
}

# shellcheck source=/dev/null
source "$1"
complete=yes
