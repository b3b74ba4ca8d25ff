# SPDX-License-Identifier: BSD-3-Clause
# Runs that cannot be: what model, data and options ask of each other, and folders that cannot be read.
small_data
how=(--epochs 1 -q --no-report)
dcnn train small.h5 --model net.json "${how[@]}" --run run >/dev/null 2>&1

echo 'numbers and classes:'
# Images of 8x8 and two numbers of each, the second above 1.
awk 'BEGIN {
    printf "a,b"
    for (j = 0; j < 64; j++) printf ",pixel%d", j
    print ""
    for (i = 0; i < 40; i++) {
        printf "%.2f,%d", i / 40, i
        for (j = 0; j < 64; j++) printf ",%d", (i * 31 + j * 17) % 256
        print ""
    }
}' >numbers.csv
dcnn prepare numbers.csv --target-columns a,b -o two.h5 -q
dcnn prepare numbers.csv --target-columns a -o one.h5 -q
sed 's/"units": 3, "activation": "softmax"/"units": 2/' net.json >two.json
csv 60 8 5 >five.csv
dcnn prepare five.csv --no-stratify -o five.h5 -q
dcnn train two.h5 --model two.json "${how[@]}" --run numbers >/dev/null 2>&1
try dcnn train two.h5 --model two.json --loss binary_crossentropy --run none
try dcnn train small.h5 --model numbers/best.h5 --run none
try dcnn evaluate numbers/best.h5 one.h5
try dcnn evaluate numbers/best.h5 small.h5
try dcnn evaluate run/best.h5 two.h5
try dcnn evaluate run/best.h5 five.h5
try dcnn evaluate numbers/best.h5 two.h5 --tta 3
try dcnn train two.h5 --model two.json --oversample --run none
try dcnn train two.h5 --model two.json --mixup 0.2 --run none
try dcnn train two.h5 --model two.json --cutmix 0.2 --run none

echo 'more classes than can be counted, and a loss that is no number:'
awk 'BEGIN { print "label,pixel0"; for (i = 0; i < 46341; i++) printf "%d,%d\n", i, i % 256 }' >many.csv
dcnn prepare many.csv --no-stratify -o many.h5 -q 2>/dev/null
echo '{"class_name": "Sequential", "config": {"layers": [{"class_name": "Flatten", "config": {}}, {"class_name": "Dense", "config": {"units": 46341, "activation": "softmax"}}]}}' >many.json
try dcnn train many.h5 --model many.json "${how[@]}" --run none
for format in '' --json; do try dcnn evaluate run/best.h5 small.h5 --std 1e-300 $format | grep -E 'warning|loss|exit'; done
try dcnn evaluate numbers/best.h5 two.h5 --std 1e-300 --json | grep -E 'warning|loss|"mae"|exit'
cp small.h5 $'sm\xffll.h5'
dcnn evaluate run/best.h5 $'sm\xffll.h5' --json | grep '"data"'

echo 'other classes, other channels:'
sed 's/^\([0-9]\),/one\1,/' small.csv >named.csv
sed 's/^\([0-9]\),/other\1,/' small.csv >other.csv
dcnn prepare named.csv --no-stratify -o named.h5 -q
dcnn prepare other.csv --no-stratify -o other.h5 -q
dcnn train named.h5 --model net.json "${how[@]}" --run named >/dev/null 2>&1
try dcnn train other.h5 --model named/best.h5 --run none -q
csv 40 16 3 | cut -d, -f-129 >pairs.csv
dcnn prepare pairs.csv --shape 8x8x2 --no-stratify -o pairs.h5 -q
try dcnn train pairs.h5 --model run/best.h5 --run none -q
try dcnn evaluate run/best.h5 pairs.h5

echo 'runs and models for other purposes:'
dcnn export run/best.h5 -o plain.h5 >/dev/null
dcnn export run/best.h5 -o plain.keras >/dev/null
try dcnn evaluate plain.keras
try dcnn predict numbers/best.h5 two.h5 --split test --format kaggle
try dcnn predict run/best.h5 - </dev/null
try dcnn tune small.h5 learning-rate=1e-3,1e-2 --run run --resume
try dcnn train small.h5 --model net.json --ensemble 2 --run run --resume

echo 'splits that are not there:'
dcnn prepare small.csv --no-stratify --validation-split 0 -o unvalidated.h5 -q
try dcnn train unvalidated.h5 --model net.json --patience 3 --run none
try dcnn train unvalidated.h5 --model net.json --schedule plateau --plateau monitor=val_loss --run none

echo 'options that go with others:'
try dcnn train small.h5 --model net.json --huber-delta 1 --run none
try dcnn train small.h5 --model net.json --replace-head --run none
try dcnn train small.h5 --run none 2>&1 | sed "s|$DCNN_DATA|DATA|"
try dcnn train small.h5 --model net.json --schedule plateau --plateau patience=0 --run none
try dcnn train two.h5 --model two.json --loss mean_squared_error --optimizer sgd --learning-rate 100 --epochs 5 --batch-size 4 --run diverged -q --no-report
sed 's/"units": 3/"kernel_initializer": {"class_name": "Constant", "config": {"value": 1e38}}, "units": 3/' net.json >huge.json
for options in 'net.json --std 1e-37' 'run/best.h5 --std 1e-300' 'huge.json' 'net.json --optimizer sgd --learning-rate 100 --mean 10'; do
    # shellcheck disable=SC2086
    try dcnn train small.h5 --model $options --batch-size 16 --epochs 50 --run overflows --overwrite -q --no-report 2>&1 | grep -v warning
done

echo 'a recipe that is none:'
mkdir -p broken/models
echo '{"class_name": "Sequential", "config": {"name": "none", "layers": []}}' >broken/models/digits.json
csv 30 24 3 >large.csv
dcnn prepare large.csv --no-stratify -o large.h5 -q
try env DCNN_DATA=broken dcnn train large.h5 "${how[@]}" --run none

echo 'folders that cannot be read:'
again() {
    rm -rf work
    cp -r run work
}
resume=(dcnn train small.h5 --run work --resume --model net.json --epochs 2 -q --no-report)
again
rm work/run.json && ln -s run.json work/run.json
try "${resume[@]}"
again
rm -r work/checkpoints && ln -s checkpoints work/checkpoints
try "${resume[@]}"
again
truncate -s -32 work/checkpoints/*.h5
try "${resume[@]}"
again
for file in work/checkpoints/*.h5; do cp plain.h5 "$file"; done
try "${resume[@]}"

again
sed -i 's/"data": "[^"]*"/"date": ""/' work/run.json
try dcnn train --run work --resume -q
again
for file in work/checkpoints/*.h5; do mkdir "$file.bad"; done # where damaged ones are put
truncate -s -32 work/checkpoints/*.h5
try "${resume[@]}"
again
rm work/best.h5
truncate -s -32 work/checkpoints/*.h5
try "${resume[@]}"
rm work/result.json # as in a first epoch
try "${resume[@]}"

echo 'folders that cannot be cleared:'
anew=(dcnn train small.h5 --run work --overwrite --model net.json --epochs 1 -q --no-report)
again
mkdir work/run.json.removed
try "${anew[@]}"
ls work
again
mkdir work/checkpoints/step-7.h5
try "${anew[@]}"
rmdir work/checkpoints/step-7.h5
"${anew[@]}" >said 2>&1 || cat said

# A training that stood still for so long that another took its run over ends at its next look at the lock, and leaves it.
dcnn train small.h5 --model net.json --batch-size 16 --epochs 100000 --checkpoint-every 4 --run taken -q --no-report >taken.said 2>&1 &
training=$!
until_step taken
sed -i 's/"process":[0-9]*/"process":1/' taken/run.lock
wait "$training" || echo "exit $?"
grep '^dcnn: taken' taken.said
grep -c '"process":1,' taken/run.lock
# One whose folder has been moved says so, at its next look or where it would write next.
dcnn train small.h5 --model net.json --batch-size 16 --epochs 100000 --checkpoint-every 4 --run there -q --no-report >there.said 2>&1 &
training=$!
until_step there
mv there elsewhere
wait "$training" || echo "exit $?"
grep -qE "^dcnn: there(: the run's folder is gone|/.*: No such file)" there.said && echo 'told that the folder is gone'
ls -d none 2>/dev/null || echo 'no refused run has left a folder'
