# SPDX-License-Identifier: BSD-3-Clause
# 300 colour images, 15 epochs: the batch suits them and BatchNormalization's averages arrive; where they cannot, the run says so
# first.
shapes 415 >shapes.csv
dcnn prepare shapes.csv --shape 32x32x3 -o shapes.h5
dcnn train shapes.h5 --no-report --no-tensorboard >said 2>&1
grep '^batch\|^norm' said
# how far validation ends from training: less than 3 points with the recipe for small sets, and without words
gap() {
    awk -F, -v most="$2" 'NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i }
        END { gap = $column["accuracy"] - $column["val_accuracy"]
              print (gap < most && gap > -most ? "within " 100 * most " points" : "apart by " gap) }' "$1/metrics.csv"
}
dcnn train shapes.h5 --recipe small-data --run small --no-report --no-tensorboard >/dev/null 2>&1
gap small 0.03
gap runs/shapes 0.03
# a batch that is given stays; one that is chosen is the run's own, whatever resumes it, on any number of ranks
dcnn train shapes.h5 --batch-size 128 --epochs 1 --run given --no-report 2>&1 | grep '^batch\|^step'
dcnn train shapes.h5 --epochs 1 --run cut --no-report -q --stop-after 7 >/dev/null 2>&1 || echo "exit $?"
ranks 3 dcnn train --run cut --resume --no-report 2>&1 | grep '^batch\|^step'
dcnn train shapes.h5 --epochs 1 --run whole --no-report -q >/dev/null
[[ $(hash_of cut/best.h5) == "$(hash_of whole/best.h5)" ]] && echo "the same bits"
# the model's own momentum, by option and by file
try dcnn train shapes.h5 --no-report --epochs 1 --bn-momentum 0.99 2>&1 | grep averages
# a model that leaves its first and last shape to the data; one that does not
sed 's/"units": 128/"units": 16/' "$DCNN_DATA/models/small.json" >open.json
dcnn train shapes.h5 --model open.json --no-report --epochs 1 2>&1 | grep '^model'
dcnn train shapes.h5 --model open.json --no-report --epochs 1 --run runs/shapes-3 --resume 2>&1 | grep '^run'
# images that the recipe's network is too large for
csv 80 8 3 >small.csv
dcnn prepare small.csv -o small.h5 >/dev/null
try dcnn train small.h5 --epochs 1 --no-report 2>&1 | grep -v '^dcnn 0\|^data\|^run\|^step' | sed "s|$DCNN_DATA|DATA|"
dcnn train small.h5 --epochs 1 --no-report --model "$DCNN_DATA/models/small.json" 2>&1 | grep '^model'
# so are 240 steps too few, where 9 % of what the averages begin with is left
net 8 3 >net.json
try dcnn train small.h5 --model net.json --run runs/few --no-report --batch-size 1 --epochs 4 -q 2>&1 | grep averages
