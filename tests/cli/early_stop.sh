# SPDX-License-Identifier: BSD-3-Clause
# A run ends when its patience does, keeps the best epoch, and does the same when it was cut in two.
small_data
common=(--model net.json --batch-size 16 --no-report --no-tensorboard --schedule constant --learning-rate 0.3)
dcnn train small.h5 "${common[@]}" --epochs 40 --patience 2 --run whole >whole.said 2>/dev/null
sed -E 's/epoch [0-9]+ of [0-9]+/epoch N of N/' whole.said | grep '^best epoch'
# two epochs behind the best one, as metrics.csv tells
awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "val_accuracy") column = i; next }
    { last = NR - 1; if ($column > best) { best = $column; at = last; ties = 0 } else if ($column == best) ties = 1 }
    END { print (last < 40 && (last - at == 2 || ties) ? "stopped in time" : "stopped after " last ", best " at) }' whole/metrics.csv
dcnn train small.h5 "${common[@]}" --epochs 40 --patience 2 --run cut --stop-after 5 >/dev/null 2>&1 || true
dcnn train small.h5 "${common[@]}" --epochs 40 --patience 2 --run cut --resume >cut.said 2>/dev/null
cmp <(grep '^best\|^weights' whole.said) <(grep '^best\|^weights' cut.said) && echo "the same, cut in two"
# nothing more to do
dcnn train small.h5 --run cut --resume 2>/dev/null | grep -c 'stopped early'
# other metrics; a schedule that would fall over all epochs; nothing to watch
dcnn train small.h5 --model net.json --batch-size 16 --no-report --epochs 3 --patience 9 --monitor loss --run loss 2>&1 | grep '^rate\|^best'
dcnn prepare small.csv --validation-split 0 -o bare.h5 >/dev/null 2>&1
try dcnn train bare.h5 --model net.json --patience 3 --no-report 2>&1 | grep -v '^dcnn 0\|^data\|^run\|^step\|^rate\|^model\|warning'
try dcnn train small.h5 --monitor val_acc
