# SPDX-License-Identifier: BSD-3-Clause
# More ranks than cores: one a core works, the spare ones sleep; the bits are those of one rank, and of all ranks at work.
small_data
unset DCNN_EVERY_RANK
core=$(taskset -cp $$ | sed 's/.*[ ,-]//')
arguments=(small.h5 --model net.json --batch-size 4 --grain 1 --no-report)

# crowd N COMMAND...: N ranks on one core.
crowd() {
    taskset -c "$core" mpirun -np "$@"
}
dcnn train "${arguments[@]}" --epochs 3 --run one -q >/dev/null
crowd 3 dcnn train "${arguments[@]}" --epochs 3 --run three 2>&1 | head -n 1
DCNN_EVERY_RANK=1 crowd 3 dcnn train "${arguments[@]}" --epochs 3 --run every 2>&1 | head -n 1
ranks 7 dcnn train "${arguments[@]}" --epochs 3 --run seven -q >/dev/null
for run in three every seven; do cmp <(hash_of one/best.h5) <(hash_of "$run/best.h5") && echo "$run: same weights"; done
for count in 1 3; do
    crowd "$count" dcnn evaluate one/best.h5 --split test >"evaluated-$count"
    crowd "$count" dcnn predict one/best.h5 small.h5 --split test -o "predicted-$count.csv"
done
cmp evaluated-1 evaluated-3 && cmp predicted-1.csv predicted-3.csv && echo "same metrics and predictions"
try crowd 3 dcnn evaluate absent.h5 2>&1 | grep '^dcnn'

# begin RUN: a run of three ranks that goes on until something happens to it; its first step is saved when this returns.
begin() {
    crowd 3 dcnn train "${arguments[@]}" --epochs 100000 --checkpoint-every 1 --run "$1" -q >"$1.said" 2>&1 &
    launcher=$!
    until_step "$1"
}

# ranks_of RUN: the processes of a run, in this folder: the same test may be at work in another.
ranks_of() {
    local process
    for process in $(pgrep -f "dcnn train small.h5 .*--run $1 "); do
        if [[ $(readlink "/proc/$process/cwd") == "$PWD" ]]; then echo "$process"; fi
    done
}

# to_rank RUN RANK SIGNAL: sends it to that rank alone.
to_rank() {
    local process
    for process in $(ranks_of "$1"); do
        if grep -qz "^OMPI_COMM_WORLD_RANK=$2$" "/proc/$process/environ"; then kill -s "$3" "$process"; fi
    done
}

# A spare rank is told to stop: the run ends after a step; all ranks at work go on to the same weights.
begin told
to_rank told 2 USR1
code=0
wait "$launcher" || code=$?
echo "exit $code"
grep '^dcnn' told.said | sed -E 's/step [0-9]+/step N/'
steps=$(printf '%s\n' told/checkpoints/step-*.h5 | tail -n 1 | sed -E 's/.*step-0*([0-9]+).*/\1/')
DCNN_EVERY_RANK=1 ranks 3 dcnn train "${arguments[@]}" --run told --resume --stop-after 5 -q >/dev/null
dcnn train "${arguments[@]}" --epochs 100000 --run whole --stop-after $((steps + 5)) -q >/dev/null 2>&1
last() { hash_of "$(printf '%s\n' "$1"/checkpoints/step-*.h5 | tail -n 1)"; }
cmp <(last whole) <(last told) && echo "same weights"

# kill -9 of a spare rank, and of the one at work.
for rank in 2 0; do
    begin "dead-$rank"
    to_rank "dead-$rank" "$rank" KILL
    if wait "$launcher"; then echo "the launcher does not notice"; fi
    dcnn info "$(printf '%s\n' "dead-$rank"/checkpoints/step-*.h5 | tail -n 1)" | grep -c 'weights hash'
    for tries in $(seq 50); do # a helper that looks after mpirun may outlive it for a moment
        if [[ -z $(ranks_of "dead-$rank") ]]; then continue 2; fi
        sleep 0.1
    done
    echo "a rank is left after $tries tries"
done
