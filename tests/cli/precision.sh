# SPDX-License-Identifier: BSD-3-Clause
csv 96 12 3 >small.csv
dcnn prepare small.csv -o small.h5 >small.said
cat >net.json <<'END'
{"class_name": "Sequential", "config": {"name": "mixed", "layers": [
  {"class_name": "InputLayer", "config": {"batch_shape": [null, 12, 12, 1]}},
  {"class_name": "Conv2D", "config": {"filters": 16, "kernel_size": 3, "activation": "relu"}},
  {"class_name": "MaxPooling2D", "config": {}},
  {"class_name": "BatchNormalization", "config": {}},
  {"class_name": "Conv2D", "config": {"filters": 20, "kernel_size": 3, "padding": "same", "activation": "relu"}},
  {"class_name": "Conv2D", "config": {"filters": 24, "kernel_size": 3, "strides": 2}},
  {"class_name": "Flatten", "config": {}},
  {"class_name": "Dense", "config": {"units": 3, "activation": "softmax"}}]}}
END
how=(--model net.json --batch-size 32 --epochs 2 --no-report)
dcnn train small.h5 "${how[@]}" --precision fp32 --run fp32 -q >/dev/null
try dcnn train small.h5 "${how[@]}" --precision bf16 --run bf16
# The policy is the model's: going on, and starting from it, need no option.
try dcnn train small.h5 --resume --run bf16 --precision fp32
dcnn train small.h5 --model bf16/best.h5 --epochs 1 --no-report --run from 2>&1 >/dev/null | grep '^model'
dcnn info bf16/best.h5 | grep "^multiply-adds"
dcnn info bf16/best.h5 --json | grep '^  "precision"'
[[ $(hash_of fp32/best.h5) == "$(hash_of bf16/best.h5)" ]] && echo "bf16 changed nothing"
# Without AMX it only costs speed.
DCNN_ISA=generic dcnn train small.h5 "${how[@]}" --precision bf16 --run generic 2>&1 >/dev/null | grep -c '^bf16  is slower'
DCNN_ISA=generic dcnn train small.h5 "${how[@]}" --precision fp32 --run fp32-generic 2>&1 >/dev/null | grep -c '^bf16  is slower'
# The same bits by AMX as without it, and with each thread count.
for isa in avx2 avx512 amx; do
    DCNN_ISA=$isa dcnn train small.h5 "${how[@]}" --precision bf16 --threads 2 --run "$isa" -q >/dev/null 2>&1 || cp -r bf16 "$isa"
done
[[ $(hash_of avx512/best.h5) == "$(hash_of amx/best.h5)" ]] && echo "amx: the weights of avx512"
sed 's/"config": {"filters": 20/"config": {"dtype": "float16", "filters": 20/' net.json >half.json
try dcnn train small.h5 --model half.json --run half
sed 's/"config": {"filters": 20/"config": {"dtype": "mixed_bfloat16", "filters": 20/' net.json >policy.json
dcnn train small.h5 --model policy.json --epochs 1 --no-report --run policy 2>&1 >/dev/null | grep '^model'
# A filter other than 3x3 over few channels, a BatchNormalization, a ReLU and a pooling: near fp32's loss.
shapes 24 >colour.csv
dcnn prepare colour.csv -o colour.h5 >colour.said
for size in 1 5; do
    cat >few.json <<END_OF_NET
{"class_name": "Sequential", "config": {"name": "few", "layers": [
  {"class_name": "InputLayer", "config": {"batch_shape": [null, 32, 32, 3]}},
  {"class_name": "Conv2D", "config": {"filters": 16, "kernel_size": $size, "strides": 2}},
  {"class_name": "BatchNormalization", "config": {}}, {"class_name": "Activation", "config": {"activation": "relu"}},
  {"class_name": "MaxPooling2D", "config": {}}, {"class_name": "Flatten", "config": {}},
  {"class_name": "Dense", "config": {"units": 3, "activation": "softmax"}}]}}
END_OF_NET
    for precision in fp32 bf16; do
        dcnn train colour.h5 --model few.json --epochs 1 --no-augment --no-report --precision $precision --run few-$size-$precision -q >/dev/null 2>&1
    done
    paste -d, <(tail -n 1 few-$size-fp32/metrics.csv) <(tail -n 1 few-$size-bf16/metrics.csv) | awk -F, -v size=$size 'NR == 1 { d = $3 - $9; if ($3 > 0 && d < 0.01 && d > -0.01) print "filters of " size "x" size ": near fp32" }'
done
