# SPDX-License-Identifier: BSD-3-Clause
# Images of another size or colour than a model with weights takes are brought to it, and a line says so.
small_data
csv 60 16 3 >large.csv
dcnn prepare large.csv --no-stratify -o large.h5 >/dev/null
shapes 30 >colour.csv
dcnn prepare colour.csv --no-stratify -o colour.h5 >/dev/null 2>&1
dcnn train small.h5 --model net.json --epochs 1 --run first --no-report -q >/dev/null 2>&1
how=(--model first/best.h5 --replace-head --epochs 6 --no-report --batch-size 16 -q --bn-momentum 0.5)
try dcnn train large.h5 "${how[@]:0:6}" --run told --stop-after 1 2>&1 | grep '^input'
for data in large colour; do
    dcnn train $data.h5 "${how[@]}" --run $data-1 >/dev/null 2>&1
    mpirun -np 3 dcnn train $data.h5 "${how[@]}" --run $data-3 >/dev/null 2>&1
    dcnn train $data.h5 "${how[@]}" --run $data-cut --stop-after 2 >/dev/null 2>&1
    dcnn train $data.h5 --run $data-cut --resume --no-report -q >/dev/null 2>&1
    [[ $(hash_of $data-1/best.h5) == "$(hash_of $data-3/best.h5)" ]] && echo "$data on three ranks: same weights"
    [[ $(hash_of $data-1/best.h5) == "$(hash_of $data-cut/best.h5)" ]] && echo "$data resumed: same weights"
    dcnn evaluate $data-1/best.h5 $data.h5 2>&1 | grep '^input'
    right=0
    for split in train validation test; do
        right=$((right + $(dcnn evaluate $data-1/best.h5 $data.h5 --split $split 2>/dev/null | sed -n 's/^accuracy.*(\([0-9]*\) of .*/\1/p')))
    done
    # another way to the same images: the table's, brought to the model's size one by one
    predicted=$(paste -d, <(cut -d, -f1 $data.csv) <(dcnn predict $data-1/best.h5 $data.csv -o - 2>/dev/null | cut -d, -f2) |
        awk -F, 'NR > 1 && $1 == $2' | wc -l)
    ((right == predicted && right > 0)) && echo "$data: dcnn predict finds as many right" || echo "$data: $right by evaluate, $predicted by predict"
done
dcnn report large-1 >/dev/null 2>&1 && ls large-1/report.html
# told once in a training, and what dcnn prepare is said to do it does: it makes grey of colours, never colours
dcnn train large.h5 "${how[@]:0:4}" 1 --no-report --batch-size 16 --run once 2>&1 | grep -c '^input images'
shapes 30 | cut -d, -f1-193 >tiny.csv
dcnn prepare tiny.csv --no-stratify -o tiny.h5 >/dev/null 2>&1
sed 's/8, 8, 1/8, 8, 3/' net.json >colour.json
dcnn train tiny.h5 --model colour.json --epochs 1 --run coloured --no-report -q >/dev/null 2>&1
for pair in "tiny first" "large coloured" "small coloured"; do
    dcnn train "${pair% *}.h5" --model "${pair#* }/best.h5" --replace-head --epochs 1 --run "${pair/ /-}" --stop-after 1 --no-report 2>&1 | grep '^input images'
done
# a description is for the images that there are
try dcnn train large.h5 --model net.json --run none 2>&1 | grep '^dcnn:\|exit'
# what is streamed keeps its size
try dcnn train large.h5 "${how[@]}" --run none --cache-memory 1K 2>&1 | grep '^dcnn:\|exit'
