# SPDX-License-Identifier: BSD-3-Clause
# Numbers to predict instead of classes: where they come from, and what is no such thing.

# blobs N: a table of images 8x8 with a light dot at (row, column), and what that means.
blobs() {
    awk -v n="$1" 'BEGIN {
        printf "row,column,low,right"
        for (i = 0; i < 64; i++) printf ",pixel%d", i
        print ""
        for (k = 0; k < n; k++) {
            r = k * 5 % 7; c = k * 3 % 7
            printf "%.3f,%.3f,%d,%d", r / 7, c / 7, (r > 3), (c > 3)
            for (i = 0; i < 64; i++) {
                y = int(i / 8); x = i % 8
                dot = (y == r || y == r + 1) && (x == c || x == c + 1)
                printf ",%d", dot ? 255 : (i * 7 + k) % 23
            }
            print ""
        }
    }'
}
# npy NAME DESCR SHAPE: an array of the bytes on standard input.
npy() {
    local header="{'descr': '$2', 'fortran_order': False, 'shape': $3, }"
    printf -v header '%-117s' "$header"
    { printf '\x93NUMPY\x01\x00\x76\x00%s\n' "$header" && cat; } >"$1"
}
blobs 84 >blobs.csv
echo 'numbers of a table:'
dcnn prepare blobs.csv --target-columns row,column -o where.h5
echo 'labels of 0 and 1:'
dcnn prepare blobs.csv --target-columns low,right -o marks.h5
dcnn info marks.h5 | grep -A2 'to predict'
echo 'an array of fractions:'
head -c 256 /dev/zero | tr '\0' '\5' | npy x_train.npy '|u1' '(4, 8, 8)'
printf '\0\0\0?\0\0\200?\0\0\0@\0\0\0\300' | npy y_train.npy '<f4' '(4, 1)'
dcnn prepare x_train.npy y_train.npy --test-split 0 --validation-split 0 -o halves.h5
printf '\1\2\3\4' | npy y_train.npy '|u1' '(4,)'
dcnn prepare x_train.npy y_train.npy --target-columns 1 --test-split 0 --validation-split 0 -o ages.h5
echo 'what is none:'
try dcnn prepare blobs.csv --target-columns row,height -o no.h5 -q
try dcnn prepare blobs.csv --target-columns row,row -o no.h5 -q
try dcnn prepare blobs.csv --target-columns row --label-column low -o no.h5 -q
try dcnn prepare blobs.csv --target-columns row --stratify -o no.h5 -q
try dcnn prepare x_train.npy y_train.npy --target-columns 2 -o no.h5 -q
sed '5s/^[^,]*/none/' blobs.csv >odd.csv
try dcnn prepare odd.csv --target-columns row -o no.h5 -q

echo 'learnt alike by any number of ranks:'
small=$DCNN_DATA/models/small.json
learn() { dcnn train "$@" --model "$small" --epochs 2 --batch-size 16 --no-report --quiet; }
shape() { sed -E 's/-?[0-9]+\.[0-9]+/X/g; s/ +/ /g'; }
# of_ranks WHAT SAID...: that all runs came to the same weights.
of_ranks() { echo "$1: $(grep -h '^weights hash' "${@:2}" | sort -u | wc -l) result of $(($# - 1)) runs"; }
for count in 1 2 3; do
    mpirun -np "$count" dcnn train where.h5 --model "$small" --epochs 2 --batch-size 16 --run "numbers$count" \
        --no-report --quiet >"numbers$count.said" 2>/dev/null
done
learn where.h5 --run stopped --stop-after 5 >stopped.said 2>&1 || tail -n1 stopped.said
mpirun -np 2 dcnn train where.h5 --run stopped --resume --no-report --quiet >stopped.said 2>/dev/null
of_ranks numbers numbers?.said stopped.said
shape <numbers1.said | head -n2
cut -d, -f1-5 numbers1/metrics.csv | head -n1
dcnn evaluate numbers1/best.h5 | shape
dcnn evaluate numbers1/best.h5 --json >one.json
mpirun -np 3 dcnn evaluate numbers1/best.h5 --json >three.json 2>/dev/null
cmp one.json three.json && echo 'the same scores on 3 ranks'
dcnn predict numbers1/best.h5 where.h5 --split test | shape | head -n2
dcnn show where.h5 --index 3 | tail -n1
dcnn report numbers1 >said && ls numbers1/figures | grep predicted
dcnn export numbers1/best.h5 -o numbers.keras >said && head -n1 said
dcnn info numbers.keras | grep numbers
learn where.h5 --loss huber --monitor val_mae --run hubers 2>/dev/null | grep '^test' | shape

echo 'labels:'
for count in 1 3; do
    mpirun -np "$count" dcnn train marks.h5 --model "$small" --epochs 2 --batch-size 16 --run "labels$count" \
        --monitor val_auc --no-report --quiet >"labels$count.said" 2>/dev/null
done
of_ranks labels labels?.said
head -n1 labels1/metrics.csv
dcnn evaluate labels1/best.h5 | shape | sed -E 's/[0-9]+ of/N of/'
dcnn predict labels1/best.h5 marks.h5 --split test | shape | cut -d, -f1,3- | head -n2

echo 'settings of the loss outlive a stop and the file:'
# outlive NAME KEY DATA SAID...: a run, the same one stopped and resumed, and one that begins with its model.
outlive() {
    local name=$1 key=$2 data=$3
    shift 3
    learn "$data" "$@" --run "$name" >"$name.said" 2>/dev/null
    learn "$data" "$@" --run "$name-cut" --stop-after 5 >/dev/null 2>&1 || true
    dcnn train "$data" --run "$name-cut" --resume --no-report --quiet >"$name-cut.said" 2>/dev/null
    of_ranks "$name" "$name.said" "$name-cut.said"
    dcnn train "$data" --model "$name-cut/best.h5" --epochs 1 --run "$name-next" --no-report --quiet >/dev/null 2>&1
    local run
    for run in "$name" "$name-cut" "$name-next"; do
        echo "$run: $(grep -aoh "\"$key\":[0-9.]*" "$run/best.h5" | sort -u)"
    done
}
outlive deltas delta where.h5 --loss huber --huber-delta 0.25
outlive smooth label_smoothing marks.h5 --label-smoothing 0.125

echo 'what does not fit:'
try learn where.h5 --huber-delta 0.5 --run no
try learn where.h5 --label-smoothing 0.1 --run no
try learn where.h5 --loss categorical_crossentropy --run no
try learn where.h5 --loss binary_crossentropy --monitor val_mae --run no
try learn where.h5 --class-weight balanced --run no
dcnn evaluate numbers1/best.h5 marks.h5 | head -n1
try dcnn train where.h5 --model numbers.keras --loss binary_crossentropy --monitor val_top5 --run no -q
csv 60 8 3 >classes.csv
dcnn prepare classes.csv -o classes.h5 -q
try dcnn evaluate numbers1/best.h5 classes.h5
try dcnn evaluate labels1/best.h5 classes.h5
try learn classes.h5 --loss mean_absolute_error --run no

echo 'numbers stay numbers in other formats:'
dcnn train where.h5 --model "$small" --loss huber --epochs 1 --batch-size 16 --run meant --no-report --quiet >/dev/null 2>&1
dcnn predict meant/best.h5 where.h5 --split test -o meant.csv
for file in m.keras m.h5 m.onnx; do
    dcnn export meant/best.h5 -o "$file" >/dev/null
    dcnn export "$file" -o "again-$file" >/dev/null
    dcnn predict "again-$file" where.h5 --split test -o "$file.csv"
    cmp meant.csv "$file.csv" && echo "$file: the same numbers"
done
sed 's/"huber"/"hinge"/' m.onnx >hinge.onnx # as long as that, and a loss that dcnn does not have
dcnn predict hinge.onnx where.h5 --split test -o hinge.csv
