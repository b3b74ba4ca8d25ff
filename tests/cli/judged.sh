# SPDX-License-Identifier: BSD-3-Clause
# What an epoch, a trial and a member are judged by, of labels and of numbers as of classes; and runs that cannot be.

# table: images 8x8 with a light dot at (row, column), and what that means; "never" is 0 of all.
awk 'BEGIN {
    printf "row,low,right,never"
    for (i = 0; i < 64; i++) printf ",pixel%d", i
    print ""
    for (k = 0; k < 84; k++) {
        r = k * 5 % 7; c = k * 3 % 7
        printf "%.3f,%d,%d,0", r / 7, (r > 3), (c > 3)
        for (i = 0; i < 64; i++) {
            y = int(i / 8); x = i % 8
            printf ",%d", (y == r || y == r + 1) && (x == c || x == c + 1) ? 255 : (i * 7 + k) % 23
        }
        print ""
    }
}' >table.csv
dcnn prepare table.csv --target-columns low,right,never -o labels.h5 -q >/dev/null 2>&1
dcnn prepare table.csv --target-columns row -o numbers.h5 -q >/dev/null 2>&1
dcnn prepare table.csv --target-columns never -o never.h5 -q >/dev/null 2>&1
net() { echo '{"class_name":"Sequential","config":{"layers":['"$1"']}}'; }
net '{"class_name":"Flatten"},{"class_name":"Dense"}' >open.json
usual=(--model open.json --epochs 2 --batch-size 16 --no-report)
digits() { sed -E 's/-?[0-9]+\.[0-9]+/X/g; s/ +/ /g'; }

echo 'shares of all labels:'
dcnn train labels.h5 "${usual[@]}" --run labels -q >/dev/null
tr -d ' \n' <labels/result.json | grep -oE '"(validation|test)":\{[^}]*\}' | sed -E 's/[0-9]+\.[0-9]+/SHARE/; s/"correct":[0-9]+/"correct":N/'
echo 'trials of labels, by what is monitored:'
for monitor in val_accuracy val_loss val_auc; do
    dcnn tune labels.h5 label-smoothing=0,0.4 learning-rate=1e-2,1.5e-2,3e-2 "${usual[@]}" --monitor $monitor --run by-$monitor >said 2>/dev/null || cat said
    grep -o 'best on [a-z_]*' said
    # in the order of trials.csv each is no better than the one above, by its own result
    for trial in $(tail -n +2 by-$monitor/trials.csv | cut -d, -f1); do
        case $monitor in
        val_accuracy) awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "val_accuracy") a = i } NR > 1 && $a > best { best = $a } END { print -best }' ;;
        val_loss) awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "val_loss") a = i } NR > 1 && (NR == 2 || $a < best) { best = $a } END { print best }' ;;
        val_auc) awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "val_auc") a = i } NR > 1 && $a > best { best = $a } END { print -best }' ;;
        esac <"by-$monitor/trial-00$trial/metrics.csv"
    done | sort -g -C && echo 'in order'
    awk -F, 'NR > 1 && ($3 > 1 || $5 != 45) { print "wrong: " $0 }' by-$monitor/trials.csv
done
echo 'numbers have a loss, and no hits:'
dcnn tune numbers.h5 learning-rate=1e-3,1e-2 "${usual[@]}" --run search 2>&1 | grep -E '^(trial|[12] |search)' | digits
cut -d, -f1-5 search/trials.csv | sort

echo 'an ensemble is refused before its members are trained:'
try dcnn train numbers.h5 "${usual[@]}" --ensemble 2 --run many -q
find . -name 'member*'

echo 'a curve of one side has no area:'
try dcnn train never.h5 "${usual[@]}" --monitor val_auc --run never -q 2>&1 | grep -E 'number|exit'

echo 'names of weights that are alike when joined:'
small_data
net '{"class_name":"SeparableConv2D","config":{"name":"conv","filters":4,"kernel_size":3,"use_bias":false}},
    {"class_name":"Conv2D","config":{"name":"conv_pointwise","filters":4,"kernel_size":1,"use_bias":false}},
    {"class_name":"Flatten"},{"class_name":"Dense","config":{"activation":"softmax"}}' >alike.json
dcnn train small.h5 --model alike.json --epochs 2 --batch-size 16 --no-report --run whole -q | grep '^weights' >whole.said
dcnn train small.h5 --model alike.json --epochs 2 --batch-size 16 --no-report --run alike -q --stop-after 2 2>/dev/null || echo "exit $?"
dcnn train --run alike --resume -q --no-report | grep '^weights' | cmp - whole.said && echo 'the same after a stop'

echo 'what frozen layers make is kept by the kernels that are asked for:'
for keep in --keep-features --no-keep-features; do
    DCNN_ISA=reference dcnn train small.h5 --model whole/best.h5 --freeze conv --freeze conv_pointwise --no-augment --epochs 2 \
        --batch-size 16 --no-report --run kept$keep -q "$keep" | grep '^weights'
done | sort -u | wc -l

echo 'a folder of runs that cannot be examined:'
ln -s runs runs
timeout 60 dcnn train small.h5 --model net.json --epochs 1 -q || echo "exit $?"
