# SPDX-License-Identifier: BSD-3-Clause
# Layers that stay as they are, rates of their own, and a new head, on any number of ranks and across a resume.
small_data
csv 60 8 5 >five.csv
dcnn prepare five.csv --no-stratify -o five.h5 >/dev/null
dcnn train small.h5 --model net.json --epochs 1 --run first --no-report -q >/dev/null 2>&1
how=(--epochs 2 --no-report -q)
try dcnn train small.h5 --model first/best.h5 --freeze 'conv*,batch_normalization' --run frozen --epochs 1 --no-report 2>&1 | grep '^train\|^model\|exit'
# with next to no rate for the rest, all weights are those before
dcnn train small.h5 --model first/best.h5 --freeze 'conv*,batch*' --learning-rate-of 'dense=1e-30' --run still "${how[@]}" >/dev/null
[[ $(hash_of first/best.h5) == "$(hash_of still/best.h5)" ]] && echo "what is frozen stayed"
dcnn info frozen/best.h5 | grep 'frozen\|trainable'
# all before a layer, or all but the last ones
for way in "--freeze-below dense" "--train-last 1" "--freeze 'conv*,batch*'"; do
    eval "dcnn train small.h5 --model first/best.h5 $way --run ways --overwrite ${how[*]}" >/dev/null
    hash_of ways/best.h5
done | uniq | wc -l
# what a first phase froze is trained in the second
dcnn train small.h5 --model ways/best.h5 --freeze-below conv2d --run second "${how[@]}" >/dev/null
dcnn info second/best.h5 | grep -c frozen
try dcnn train small.h5 --model first/best.h5 --freeze-below conv3d --run none
try dcnn train small.h5 --model first/best.h5 --train-last 5 --run none
try dcnn train small.h5 --model first/best.h5 --freeze conv3d --run none
try dcnn train small.h5 --model first/best.h5 --freeze '*' --run none
try dcnn train small.h5 --model first/best.h5 --learning-rate-of dense --run none
try dcnn train small.h5 --model first/best.h5 --learning-rate-of 'dens=0.1' --run none
try dcnn train five.h5 --model first/best.h5 --run none
try dcnn train five.h5 --model net.json --replace-head --run none
[[ -e none ]] && echo "a refused run left a folder"
new=(five.h5 --model first/best.h5 --replace-head --freeze conv2d --learning-rate-of '*=0.5' --learning-rate-of 'dense/bias=2')
dcnn train "${new[@]}" "${how[@]}" --run one >/dev/null
mpirun -np 3 dcnn train "${new[@]}" "${how[@]}" --run three >/dev/null 2>&1
dcnn train "${new[@]}" "${how[@]}" --run cut --stop-after 1 >/dev/null 2>&1
try dcnn train five.h5 --run cut --resume --freeze dense -q
dcnn train five.h5 --run cut --resume -q --no-report >/dev/null
[[ $(hash_of one/best.h5) == "$(hash_of three/best.h5)" ]] && echo "three ranks: same weights"
[[ $(hash_of one/best.h5) == "$(hash_of cut/best.h5)" ]] && echo "resumed: same weights"
dcnn train five.h5 --model first/best.h5 --replace-head --freeze conv2d "${how[@]}" --run plain >/dev/null
[[ $(hash_of one/best.h5) != "$(hash_of plain/best.h5)" ]] && echo "rates count"
dcnn info one/best.h5 | grep '^dense\|^classes'
# regularizers and constraints by the model file: the same on any ranks
sed 's/"units": 3/"units": 3, "kernel_regularizer": {"class_name": "L2", "config": {"l2": 0.1}}, "bias_constraint": "non_neg"/; s/"filters": 4/"filters": 4, "kernel_constraint": {"class_name": "MaxNorm", "config": {"max_value": 0.5, "axis": [0, 1, 2]}}/' net.json >rules.json
dcnn train small.h5 --model rules.json "${how[@]}" --run rules-1 >/dev/null
mpirun -np 3 dcnn train small.h5 --model rules.json "${how[@]}" --run rules-3 >/dev/null 2>&1
[[ $(hash_of rules-1/best.h5) == "$(hash_of rules-3/best.h5)" ]] && echo "rules on three ranks: same weights"
cmp <(cut -d, -f1-5 rules-1/metrics.csv) <(cut -d, -f1-5 rules-3/metrics.csv) && echo "... and losses"
sed 's/"non_neg"/"low_rank"/' rules.json >odd.json
dcnn info odd.json | grep "^training\|^a step"
dcnn info odd.json --json | grep -A1 "\"training\""
try dcnn train small.h5 --model odd.json --run none
# a head that is a convolution on one position, as in Keras' MobileNets
sed 's/.*"Flatten".*/  {"class_name": "GlobalAveragePooling2D", "config": {"keepdims": true}}, {"class_name": "Conv2D", "config": {"filters": 3, "kernel_size": 1}}, {"class_name": "Reshape", "config": {"target_shape": [3]}},/; s/{"class_name": "Dense".*/{"class_name": "Softmax", "config": {}}]}}/' net.json >point.json
dcnn train small.h5 --model point.json "${how[@]}" --run point >/dev/null
dcnn train five.h5 --model point/best.h5 --replace-head "${how[@]}" --run point-5 >/dev/null
dcnn info point-5/best.h5 | grep '^conv2d\|^reshape\|^classes'
# what frozen layers make of an image is computed once: the same bits as computing it in every step
base=(small.h5 --model first/best.h5 --freeze-below dense --epochs 3 --no-report --batch-size 16 --grain 4)
try dcnn train "${base[@]}" --run changing --stop-after 1 2>&1 | grep '^keep'
try dcnn train "${base[@]}" --no-augment --run kept 2>&1 | grep '^keep'
dcnn train "${base[@]}" --no-augment --no-keep-features --run anew -q >/dev/null
mpirun -np 3 dcnn train "${base[@]}" --no-augment --run kept-3 -q >/dev/null 2>&1
dcnn train "${base[@]}" --no-augment --run kept-cut --stop-after 5 -q >/dev/null 2>&1
dcnn train small.h5 --run kept-cut --resume --no-report -q >/dev/null
dcnn train "${base[@]}" --no-augment --cache-memory 64K --run streamed -q >/dev/null
for run in anew kept-3 kept-cut streamed; do
    [[ $(hash_of kept/best.h5) == "$(hash_of $run/best.h5)" ]] && cmp <(cut -d, -f1-5 kept/metrics.csv) <(cut -d, -f1-5 $run/metrics.csv) && echo "$run: same weights, same figures"
done
# the same where a BatchNormalization, which inference puts into a convolution's weights, is among what is kept
cat >normed.json <<'END'
{"class_name": "Sequential", "config": {"name": "normed", "layers": [
  {"class_name": "InputLayer", "config": {"batch_shape": [null, 8, 8, 1]}},
  {"class_name": "Conv2D", "config": {"filters": 16, "kernel_size": 3}},
  {"class_name": "BatchNormalization", "config": {}}, {"class_name": "Activation", "config": {"activation": "relu"}},
  {"class_name": "Conv2D", "config": {"filters": 16, "kernel_size": 3, "activation": "relu"}}, {"class_name": "MaxPooling2D", "config": {}},
  {"class_name": "Flatten", "config": {}}, {"class_name": "Dense", "config": {"units": 3, "activation": "softmax"}}]}}
END
# ... and where one that learns stands behind it: of a convolution by fp32 in any case, and of one by bf16
cat >behind-1.json <<'END'
{"class_name": "Sequential", "config": {"name": "behind", "layers": [
  {"class_name": "InputLayer", "config": {"batch_shape": [null, 8, 8, 1]}},
  {"class_name": "Conv2D", "config": {"filters": 16, "kernel_size": 3}},
  {"class_name": "BatchNormalization", "config": {}}, {"class_name": "Activation", "config": {"activation": "relu"}},
  {"class_name": "MaxPooling2D", "config": {}},
  {"class_name": "Flatten", "config": {}}, {"class_name": "Dense", "config": {"units": 3, "activation": "softmax"}}]}}
END
sed 's/^  {"class_name": "BatchNormalization"/  {"class_name": "Conv2D", "config": {"filters": 16, "kernel_size": 3}},\n&/' behind-1.json >behind-2.json
for precision in fp32 bf16; do
    normed=(small.h5 --model normed.json --freeze-below dense --epochs 2 --no-report --no-augment --precision $precision)
    dcnn train "${normed[@]}" --run normed-$precision -q >/dev/null 2>&1
    dcnn train "${normed[@]}" --no-keep-features --run normed-$precision-anew -q >/dev/null 2>&1
    [[ $(hash_of normed-$precision/best.h5) == "$(hash_of normed-$precision-anew/best.h5)" ]] && cmp <(cut -d, -f1-5 normed-$precision/metrics.csv) <(cut -d, -f1-5 normed-$precision-anew/metrics.csv) && echo "normed, $precision: same weights, same figures"
    for net in behind-1 behind-2; do
        behind=(small.h5 --model $net.json --freeze 'conv*' --epochs 1 --no-report --no-augment --precision $precision)
        dcnn train "${behind[@]}" --run $net-$precision -q >/dev/null 2>&1
        dcnn train "${behind[@]}" --no-keep-features --run $net-$precision-anew -q >/dev/null 2>&1
        [[ $(hash_of $net-$precision/best.h5) == "$(hash_of $net-$precision-anew/best.h5)" ]] && cmp <(cut -d, -f1-5 $net-$precision/metrics.csv) <(cut -d, -f1-5 $net-$precision-anew/metrics.csv) && echo "$net, $precision: same weights, same figures"
    done
    # `evaluate` gives validation's loss
    dcnn train small.h5 --model normed.json --freeze-below dense --epochs 1 --no-report --no-augment --precision $precision --run told -q >/dev/null 2>&1
    trained=$(tail -n 1 told/metrics.csv | cut -d, -f5)
    evaluated=$(dcnn evaluate told/best.h5 small.h5 --split validation --json | sed -n 's/^  "loss": \(.*\),/\1/p')
    awk -v a="$trained" -v b="$evaluated" 'BEGIN { d = a - b; exit !(a > 0 && d < 1e-12 && d > -1e-12) }' && echo "evaluate, $precision: validation's loss"
done
# with augmentation, variants of each image are kept and taken in turn: as many as epochs are the same bits, too
try dcnn train "${base[@]}" --feature-variants 5 --run varied 2>&1 | grep '^keep'
dcnn train "${base[@]}" --run unkept -q >/dev/null
mpirun -np 3 dcnn train "${base[@]}" --feature-variants 3 --run varied-3 -q >/dev/null 2>&1
dcnn train "${base[@]}" --feature-variants 3 --run varied-cut --stop-after 5 -q >/dev/null 2>&1
mpirun -np 2 dcnn train small.h5 --run varied-cut --resume --no-report -q >/dev/null 2>&1
dcnn train "${base[@]}" --feature-variants 3 --cache-memory 64K --run varied-streamed -q >/dev/null
for run in unkept varied-3 varied-cut varied-streamed; do
    [[ $(hash_of varied/best.h5) == "$(hash_of $run/best.h5)" ]] && cmp <(cut -d, -f1-5 varied/metrics.csv) <(cut -d, -f1-5 $run/metrics.csv) && echo "$run: same weights, same figures"
done
# fewer than epochs come again; each draw of an oversampled image has its own
two=("${base[@]}" --feature-variants 2 --oversample)
dcnn train "${two[@]}" --run two -q >/dev/null
mpirun -np 3 dcnn train "${two[@]}" --run two-3 -q >/dev/null 2>&1
[[ $(hash_of two/best.h5) == "$(hash_of two-3/best.h5)" ]] && echo "two variants on three ranks: same weights"
[[ $(hash_of two/best.h5) != "$(hash_of varied/best.h5)" ]] && echo "variants count"
try dcnn train "${base[@]}" --feature-variants 2 --mixup 0.2 --run mixed --stop-after 1 2>&1 | grep '^keep'
# what it will cost, before it is begun; times are this machine's
try dcnn info first/best.h5 small.h5 --freeze 'conv*,batch*' --batch-size 16 --threads 2 | grep '^training\|^a step\|^memory\|^an epoch\|^\.\.\. kept\|exit' | sed 's/ [0-9.]* [KM]iB/ SIZE/g; s/: about [0-9.]* s\|: less than 0.1 s/: TIME/; s/about [0-9.]* s, where\|less than 0.1 s, where/TIME, where/'
dcnn info first/best.h5 five.h5 --replace-head --train-last 1 --json | grep -A12 '"training"' | grep -v 'bytes\|_s"\|threads'
dcnn info net.json --train-last 2 | grep '^training'
dcnn info first/best.h5 --freeze conv3d 2>&1 >/dev/null || echo "exit $?"
dcnn info first/best.h5 --replace-head 2>&1 >/dev/null || echo "exit $?"
try dcnn info small.h5 first/best.h5
