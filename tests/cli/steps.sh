# SPDX-License-Identifier: BSD-3-Clause
# Metrics by step and histograms: once each, the same numbers whether a run was stopped, lost checkpoints, or neither.
small_data
arguments=(small.h5 --model net.json --batch-size 16 --epochs 3 --log-every 2 --histograms --no-report -q)
numbers() { sed -E 's/"wall_time":[0-9.]+/T/' "$1/steps.jsonl" "$1/histograms.jsonl"; }
dcnn train "${arguments[@]}" --run whole >/dev/null
ls whole
sed -E 's/:[0-9.e-]+/:N/g' whole/steps.jsonl | sort | uniq -c
sed -E 's/^\{"histogram":"([^"]*)".*/\1/' whole/histograms.jsonl | sort | uniq -c

try dcnn train "${arguments[@]}" --run parts --stop-after 3
wc -l <parts/steps.jsonl
dcnn train "${arguments[@]}" --run parts --resume --stop-after 5 --keep 9 2>/dev/null || wc -l <parts/steps.jsonl
rm parts/checkpoints/step-00000008.h5
dcnn train "${arguments[@]}" --run parts --resume >/dev/null
cmp <(numbers whole) <(numbers parts) && echo "the same numbers"

ranks 3 dcnn train "${arguments[@]}" --run ranks >/dev/null
cmp <(numbers whole) <(numbers ranks) && echo "the same numbers on three ranks"

# The event file follows from these: made anew, it is the same.
cp parts/events.out.tfevents.dcnn before
rm parts/events.out.tfevents.dcnn
dcnn report parts >/dev/null
cmp before parts/events.out.tfevents.dcnn && echo "the same events"

dcnn train "${arguments[@]}" --run parts --overwrite --log-every 0 --no-histograms --no-tensorboard >/dev/null
ls parts

# Large steps: their rate is chosen, and told; any choice of the user's stands.
dcnn train --batch-size 1024 --stop-after 1 --no-report --run large 2>&1 | grep '^rate'
dcnn train --batch-size 1024 --lr-scale none --stop-after 1 --no-report --run none 2>&1 | grep -c '^rate' || true
