# SPDX-License-Identifier: BSD-3-Clause
# What stops a run, and what is left of it: signals, kill -9 of a rank, a full disk. Each time the end is the same bytes.
small_data
arguments=(small.h5 --model net.json --batch-size 4 --checkpoint-every 3 --schedule constant --no-report)
dcnn train "${arguments[@]}" --epochs 40 --run whole -q >/dev/null

# The run is long enough to be caught in the middle: 40 epochs would be over before a signal comes.
for signal in TERM INT USR1 USR2; do
    dcnn train "${arguments[@]}" --epochs 100000 --run "$signal" -q >said 2>&1 &
    until_step "$signal"
    kill -s "$signal" $!
    code=0
    wait $! || code=$?
    echo "$signal: exit $code"
    sed -E 's/step [0-9]+/step N/' said
done

dcnn train "${arguments[@]}" --epochs 40 --run stopped -q --stop-after 100 >said 2>&1 || echo "exit $?"
dcnn train "${arguments[@]}" --epochs 40 --run stopped -q --resume >/dev/null
[[ $(hash_of whole/best.h5) == "$(hash_of stopped/best.h5)" ]] && echo "same best after a stop"

# kill -9 of one of two ranks: mpirun ends the job; the checkpoint is whole; one rank alone goes on to the same end.
mpirun -np 2 dcnn train "${arguments[@]}" --epochs 100000 --run killed -q >said 2>&1 &
launcher=$!
until_step killed
pkill -9 -n -f "train small.h5 .*--run killed" || echo "nothing to kill"
code=0
wait "$launcher" || code=$?
((code != 0)) && echo "the launcher notices"
dcnn info "$(printf '%s\n' killed/checkpoints/step-*.h5 | tail -n 1)" | grep -c 'weights hash'
dcnn train small.h5 --model net.json --batch-size 4 --run killed --resume --epochs 40 -q --no-report >said 2>&1 || cat said
last() { dcnn info "$(printf '%s\n' "$1"/checkpoints/step-*.h5 | tail -n 1)" | sed -n 's/^weights hash *//p'; }
steps=$(printf '%s\n' killed/checkpoints/step-*.h5 | tail -n 1)
if [[ $(basename "$steps") == step-00000600.h5 ]]; then
    [[ $(last whole) == "$(last killed)" ]] && echo "same weights after kill -9"
else
    echo "killed after the 40th epoch: nothing to compare"
fi

# deep_net UNITS DEPTH: a chain of Dense layers, as large and as unstable as one likes.
deep_net() {
    local i
    echo '{"class_name": "Sequential", "config": {"layers": ['
    echo '  {"class_name": "InputLayer", "config": {"batch_shape": [null, 8, 8, 1]}}, {"class_name": "Flatten", "config": {}},'
    for i in $(seq "$2"); do echo "  {\"class_name\": \"Dense\", \"config\": {\"units\": $1}},"; done
    echo '  {"class_name": "Dense", "config": {"units": 3, "activation": "softmax"}}]}}'
}

# A disk that is full (a limit on file sizes that a checkpoint of 25 MB hits): exit 1, no half file; then there is room.
deep_net 1024 3 >large.json
large=(small.h5 --model large.json --batch-size 16 --epochs 1 --run full -q --no-report)
(ulimit -f 16384 && exec dcnn train "${large[@]}") >said 2>&1 || echo "exit $?"
cat said
find full -name '*.tmp' -o -name '*.h5'
dcnn train "${large[@]}" --resume >/dev/null && find full -name '*.h5' | sort

# A loss that bursts: exit 4, and the last good checkpoint is whole.
deep_net 8 14 >deep.json
dcnn train small.h5 --model deep.json --epochs 50 --learning-rate 100 --checkpoint-every 1 --batch-size 16 --run burst -q \
    >said 2>&1 || echo "exit $?"
sed -E 's/the (loss|weights) became .*:/BURST:/' said
dcnn info "$(printf '%s\n' burst/checkpoints/step-*.h5 | tail -n 1)" | grep -c 'weights hash'
