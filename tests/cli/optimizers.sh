# SPDX-License-Identifier: BSD-3-Clause
small_data
train() { dcnn train small.h5 --run run "$@"; }
try train --optimizer adagrad
try train --optimizer adam --momentum 0.5
try train --optimizer lamb --trust-coefficient 0.01
try train --optimizer lars --beta-1 0.5
try train --schedule cosine --decay-rate 0.5
try train --schedule one-cycle --warmup 1
try train --epochs 2 --warmup 2
try train --accumulate 0
try train --lr-scale cubic
[[ -e run ]] && echo "a refused run left a folder"
how=(--model net.json --batch-size 8 --accumulate 3 --optimizer lamb --weight-decay 0.01 --learning-rate 0.02 --lr-scale sqrt --warmup 0.5)
dcnn train small.h5 "${how[@]}" --epochs 3 --run whole -q >/dev/null
try train "${how[@]}" --epochs 3 --stop-after 4
try train --resume --optimizer sgd
try train --resume --accumulate 2
try train --resume --momentum 0.5
try train --resume --no-report
[[ $(hash_of whole/best.h5) == "$(hash_of run/best.h5)" ]] && echo "same weights"
for optimizer in sgd lars adam nadam lion muon rmsprop "rmsprop --momentum 0.5"; do
    read -ra chosen <<<"$optimizer"
    rest=(--model net.json --batch-size 16 --optimizer "${chosen[@]}" --epochs 2 --schedule step --decay-epochs 1 --no-report)
    dcnn train small.h5 "${rest[@]}" --run "$optimizer" --stop-after 5 -q >/dev/null 2>&1
    dcnn train small.h5 --resume --run "$optimizer" -q >/dev/null
    dcnn train small.h5 "${rest[@]}" --run "$optimizer-whole" -q >/dev/null
    [[ $(hash_of "$optimizer-whole/best.h5") == "$(hash_of "$optimizer/best.h5")" ]] && echo "$optimizer: same weights"
done
grep -o "\"\(step_samples\|peak_learning_rate\|optimizer\|accumulate\|warmup\|lr-scale\)\": [^,]*" run/run.json | sort -u
