# functions.sh — what the job scripts share: starting dcnn on all ranks, passing signals on, and starting again.
# shellcheck shell=bash disable=SC2154

say() { echo "== $(date '+%F %T') job ${this_job:-${SLURM_JOB_ID:-none}}: $*"; }

fail() {
    say "$*" >&2
    exit 2
}

[[ -n ${SLURM_JOB_ID-} ]] || fail "this is a job script: submit it with sbatch"
command -v "$dcnn" >/dev/null || fail "'$dcnn' is not found on $(hostname): name the program in jobs/env.sh (dcnn=…)"
if [[ $launcher == auto ]]; then
    if command -v mpirun >/dev/null; then
        launcher=mpirun
    elif srun --mpi=list 2>&1 | grep -q pmix; then
        launcher=srun
    else
        fail "there is no mpirun on $(hostname), and 'srun --mpi=list' shows no pmix: load the MPI module in jobs/env.sh"
    fi
fi
threads=${SLURM_CPUS_PER_TASK:-1}
ranks_per_node=${SLURM_NTASKS_PER_NODE:-${SLURM_TASKS_PER_NODE%%[!0-9]*}} # of "4(x2)": 4
# An array's own number stands for all of its tasks, and one task has the same as its SLURM_JOB_ID.
this_job=$SLURM_JOB_ID
if [[ -n ${SLURM_ARRAY_TASK_ID-} ]]; then this_job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID; fi

# dcnn stops in time by itself where it knows when the job ends; older Slurms do not say.
if [[ -z ${SLURM_JOB_END_TIME-} ]] && end=$(squeue -h -j "$this_job" -o %e) && end=$(date -d "$end" +%s 2>/dev/null); then
    export SLURM_JOB_END_TIME=$end
fi

# launch NODES COMMAND...: on all ranks of the allocation's first NODES nodes, in the background; `launched` is its
# process.
launch() {
    local nodes=$1 ranks step
    shift
    ranks=$((ranks_per_node * nodes))
    step=(--mpi=pmix --nodes="$nodes" --ntasks="$ranks" --cpus-per-task="$threads" --kill-on-bad-exit=1)
    case $launcher-$binding in
    mpirun-core) mpirun -np "$ranks" --map-by "slot:PE=$threads" --bind-to core "$@" & ;;
    mpirun-none) mpirun -np "$ranks" --bind-to none "$@" & ;;
    srun-core) srun "${step[@]}" --cpu-bind=cores "$@" & ;;
    srun-none) srun "${step[@]}" "$@" & ;;
    *) fail "launcher is '$launcher' and binding '$binding' in jobs/env.sh: mpirun or srun, and core or none" ;;
    esac
    launched=$!
}

# await: waits for the launched command and returns its exit code, however many signals arrive meanwhile.
await() {
    while kill -0 "$launched" 2>/dev/null; do wait "$launched" || true; done
    wait "$launched"
}

# Slurm sends USR1 to this script before the time is over and at preemption (--signal), TERM when the job is cancelled:
# dcnn saves and ends with 75. USR1 is what mpirun and srun pass on to all ranks without ending themselves.
told_to_stop=
pass_on() {
    say "got SIG$1: telling dcnn to save and stop"
    told_to_stop=$1
    kill -USR1 "$launched" 2>/dev/null
}
for signal in USR1 USR2 TERM; do
    # shellcheck disable=SC2064
    trap "pass_on $signal" "$signal"
done

# --- a training or a search that survives the end of its time and the death of its ranks -------------------------------------------

# option_value NAME DEFAULT ARGUMENTS...: what --NAME is set to among the arguments.
option_value() {
    local name=$1 value=$2
    shift 2
    while (($# > 0)); do
        case $1 in
        --"$name") value=${2-} ;;
        --"$name"=*) value=${1#*=} ;;
        esac
        shift
    done
    echo "$value"
}

# newest_checkpoint RUN: of the run, or of any trial of a search.
newest_checkpoint() {
    find "$1" -path '*/checkpoints/step-*.h5' -printf '%T@ %p\n' 2>/dev/null | sort -k 1,1n -k 2 | tail -n 1 | cut -d ' ' -f 2-
}

# watch_lock RUN LAUNCHED SECONDS: dcnn touches RUN/run.lock every few seconds. If the lock stays untouched for so long
# while the launcher lives, then dcnn is gone and the launcher hangs: it is ended. Rounds are counted, not time, for a
# suspended job does not count that.
watch_lock() {
    local touched before='' rounds=0
    while sleep 10 && kill -0 "$2" 2>/dev/null; do
        touched=$(stat -c %Y "$1/run.lock" 2>/dev/null) || touched=''
        if [[ -z $touched || $touched != "$before" ]]; then rounds=0; fi
        before=$touched
        if ((++rounds * 10 <= $3)); then continue; fi
        say "dcnn has ended, but $launcher has not after $((rounds * 10)) s: ending it"
        kill -TERM "$2"
        sleep 5
        kill -KILL "$2" 2>/dev/null
        return
    done
}

# again RUN BEFORE CODE: has Slurm start this job again, from the newest checkpoint, on the nodes there are by then; but
# not one that was cancelled (and one that is preempted Slurm starts again itself). A run that dies three times in a row
# without a new checkpoint has another trouble than its machines.
again() {
    local run=$1 before=$2 code=$3 count=0 failures=$1/job.failures
    if [[ $told_to_stop == TERM || $(squeue -h -j "$this_job" -o %T) != RUNNING ]]; then
        say "exit code $code; cancelled: the same call with --run $run goes on from $(newest_checkpoint "$run")"
        exit 75
    fi
    if [[ -n $told_to_stop || $(newest_checkpoint "$run") != "$before" ]]; then
        rm -f "$failures"
    else
        if [[ -s $failures ]]; then count=$(<"$failures"); fi
        echo $((count + 1)) >"$failures"
        if ((count >= 2)); then
            rm -f "$failures"
            say "ended with $code three times without a new checkpoint: not starting it again; 'dcnn doctor' in a job of these nodes may say why"
            exit 75
        fi
    fi
    say "exit code $code: starting again from $(newest_checkpoint "$run")"
    trap '' USR1 USR2 TERM
    if ! scontrol requeue "$this_job"; then
        say "this cluster does not start jobs again: submit the same call once more, it goes on with run $run"
        exit 75
    fi
    if [[ -n ${SLURM_NTASKS_PER_NODE-} ]]; then allow_fewer_nodes; fi
    exit 75
}

# Since the job ran on so many nodes, Slurm remembers so many tasks; of a range of nodes (--nodes=1-4) it would not give
# it fewer than for those. Slurm ends this script soon, so there is little time.
allow_fewer_nodes() {
    local tries
    for tries in 1 2 3 4 5 6 7 8; do
        if scontrol update JobId="$this_job" NumTasks="$ranks_per_node" 2>/dev/null; then return; fi
        sleep 0.5
    done
    say "Slurm did not let it start on fewer nodes after $tries tries"
}

# keep_going COMMAND ARGUMENTS...: dcnn train or tune, with --resume, in a run folder that is the same each time this job
# starts.
keep_going() {
    local command=$1 run timeout before code=0 watcher
    shift
    run=$(option_value run "runs/job-$SLURM_JOB_ID" "$@")
    timeout=$(option_value timeout 60 "$@")
    before=$(newest_checkpoint "$run")
    say "start ${SLURM_RESTART_COUNT:-0} on $SLURM_JOB_NODELIST, run $run${before:+, from $before}"
    launch "$SLURM_JOB_NUM_NODES" "$dcnn" "$command" "$@" --run "$run" --resume --threads "$threads"
    watch_lock "$run" "$launched" "$((timeout + 60))" &
    watcher=$!
    await || code=$?
    kill "$watcher" 2>/dev/null
    case $code in
    0)
        rm -f "$run/job.failures"
        say "done"
        ;;
    1) # a failure of the machine or its disk; but also what mpirun makes of a signal that it gets itself
        if [[ -z $told_to_stop ]]; then exit 1; fi
        again "$run" "$before" 1
        ;;
    2 | 3 | 4) exit "$code" ;; # the same call would fail again
    *) again "$run" "$before" "$code" ;;
    esac
}

train() {
    keep_going train "$@"
}
