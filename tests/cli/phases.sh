# SPDX-License-Identifier: BSD-3-Clause
# Two phases in one command, as in Keras' guide to transfer learning: stopped or killed in either, on any ranks.
small_data
csv 60 8 5 >five.csv
dcnn prepare five.csv --no-stratify -o five.h5 >/dev/null
dcnn train small.h5 --model net.json --epochs 1 --run first --no-report -q >/dev/null 2>&1
how=(five.h5 --model first/best.h5 --replace-head --freeze-below dense --epochs 2 --batch-size 16 --no-report
    --then 'epochs=2 learning-rate=1e-4 unfreeze=conv* batch-size=24 no-augment optimizer=sgd'
    --then 'epochs=1 freeze=conv2d')
try dcnn train "${how[@]}" --run whole 2>&1 | grep -v '^dcnn 0\|images/s'
ranks 3 dcnn train "${how[@]}" --run three -q >/dev/null
# after 3 and 6 steps the first phase is in its middle and over; 7 and 8 are in the second, 10 at its end
for steps in 3 6 7 10; do
    dcnn train "${how[@]}" --run cut-$steps --stop-after $steps -q >/dev/null 2>&1
    dcnn info cut-$steps/checkpoints/*"$steps.h5" | grep '^epochs\|^phase' | sed 's/, [0-9.]* s$//'
    dcnn train five.h5 --run cut-$steps --resume --no-report -q >/dev/null
done
for run in three cut-3 cut-6 cut-7 cut-10; do
    [[ $(hash_of whole/best.h5) == "$(hash_of $run/best.h5)" ]] && cmp <(cut -d, -f1-5 whole/metrics.csv) <(cut -d, -f1-5 $run/metrics.csv) && echo "$run: same weights, same figures"
done
cmp <(dcnn info whole/checkpoints/*12.h5 | grep hash) <(dcnn info cut-7/checkpoints/*12.h5 | grep hash) && echo "the last weights too"
dcnn info whole/checkpoints/*12.h5 | grep frozen
# with the model named again, and its own epochs
dcnn train five.h5 --run cut-8 --model first/best.h5 "${how[@]:3}" --stop-after 8 -q >/dev/null 2>&1
try dcnn train five.h5 --run cut-8 --resume --epochs 9 -q
try dcnn train five.h5 --run cut-8 --resume --model first/best.h5 --no-report -q 2>&1 | grep 'exit\|^dcnn: '
try dcnn train five.h5 --run whole --resume --then 'epochs=3' -q
for then in 'epoch=3' 'epochs' 'epochs=0' 'seed=3' 'augment=yes' 'unfreeze=conv9' 'freeze=*' 'momentum=0.5'; do
    try dcnn train five.h5 --model first/best.h5 --replace-head --then "$then" --run none -q
done
[[ -e none ]] && echo "a refused run left a folder"
dcnn slurm five.h5 --nodes 1 --time 1:00 --freeze 'conv*' --freeze batch_normalization --then 'epochs=2 unfreeze=conv*' 2>slurm.said | grep -o -- "--freeze .*"
# The best epoch is the first phase's, which trained other layers: it is tested as it was then.
for count in 1 2; do
    ranks $count dcnn train five.h5 --model first/best.h5 --replace-head --freeze-below dense --epochs 2 --batch-size 16 --no-report \
        --monitor loss --then 'epochs=1 learning-rate=3 unfreeze=conv* freeze=dense' --run "worse-$count" >said 2>&1 || cat said
    grep -q '^best epoch [12] of 3' said && echo "the first phase's"
    grep -o '^test.*([0-9]* of 6)' said | grep -o 'of 6'
    cmp <(grep '^test' said | grep -o '([0-9]* of 6)') <(dcnn evaluate "worse-$count/best.h5" --split test | grep '^accuracy' | grep -o '([0-9]* of 6)') &&
        echo "tested as evaluated"
done
