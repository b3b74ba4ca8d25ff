# SPDX-License-Identifier: BSD-3-Clause
# What may be meant, and more often is not, is done and told in a line.
small_data
how=(--epochs 1 --no-report --run run --overwrite)
told() { grep -E '^loss|^input|warning: --|^exit'; }
sed 's/softmax/sigmoid/' net.json >sigmoid.json
sed 's/{"class_name": "Conv2D"/{"class_name": "Rescaling", "config": {"scale": 0.00392}}, &/' net.json >bytes.json
# each class by itself, though an image has one
try dcnn train small.h5 --model sigmoid.json --loss binary_crossentropy "${how[@]}" | told
try dcnn train small.h5 --model net.json --loss binary_crossentropy "${how[@]}" | tail -n 2
try dcnn train small.h5 --model net.json --loss categorical_crossentropy "${how[@]}" | told
# layers that stay as they were drawn
for way in "--train-last 1" "--freeze-below dense" "--freeze conv2d"; do
    # shellcheck disable=SC2086 # words
    try dcnn train small.h5 --model net.json $way "${how[@]}" | told
done
dcnn train small.h5 --model net.json --epochs 1 --run first --no-report -q >/dev/null 2>&1
try dcnn train small.h5 --model first/best.h5 --train-last 1 "${how[@]}" | told
# images that are scaled, and once more by the model
try dcnn train small.h5 --model bytes.json --mean 0.4 --std 0.2 "${how[@]}" | told
try dcnn train small.h5 --model bytes.json --scale 1 "${how[@]}" | told
try dcnn train small.h5 --model bytes.json "${how[@]}" | told
