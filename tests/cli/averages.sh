# SPDX-License-Identifier: BSD-3-Clause
# Averaged weights and statistics made anew: the same best.h5 and the same last weights on 1, 2 and 3 ranks, after a stop
# in an epoch and at its end, and where best.h5 was lost before it was written.
small_data
arguments=(small.h5 --model net.json --batch-size 16 --grain 4 --epochs 4 --learning-rate 0.01 --no-report)
last() { hash_of "$(printf '%s\n' "$1"/checkpoints/step-*.h5 | tail -n 1)"; }
for method in "--ema 0.6" "--exact-statistics" "--ema 0.6 --exact-statistics"; do
    read -ra words <<<"$method"
    for count in 1 2 3; do
        ranks "$count" dcnn train "${arguments[@]}" "${words[@]}" --run "run-$count" --overwrite -q >said || cat said
        echo "$(hash_of "run-$count/best.h5") $(last "run-$count") $(grep -o '"validation_loss":[^,]*' "run-$count/metrics.jsonl" | tail -n 1)"
    done | sort | uniq -c | sed -E "s/^ *([0-9]+) .*/$method: \1 of 3 alike/"
    for stop in 5 8 11; do # four steps an epoch
        dcnn train "${arguments[@]}" "${words[@]}" --run stopped --overwrite -q --stop-after "$stop" >said 2>&1 || echo "exit $?"
        if ((stop == 8)); then rm stopped/best.h5; fi
        ranks 2 dcnn train "${arguments[@]}" --run stopped --resume -q >said || cat said
        grep missing said
        cmp <(hash_of run-1/best.h5) <(hash_of stopped/best.h5) && cmp <(last run-1) <(last stopped) &&
            echo "the same after a stop at $stop"
    done
done
# Weights and averages are two things, and so are statistics of averages and of weights.
for run in "" "--exact-statistics" "--ema 0.6"; do
    # shellcheck disable=SC2086
    dcnn train "${arguments[@]}" $run --monitor loss --run other --overwrite -q >said 2>&1 && hash_of other/best.h5
done | sort -u | wc -l
try dcnn train --resume --run stopped --ema 0.5
net 8 3 | grep -v Normalization >plain.json
dcnn train small.h5 --model plain.json --epochs 1 --exact-statistics --run plain --no-report 2>&1 | grep '^norm'
