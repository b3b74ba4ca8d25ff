# SPDX-License-Identifier: BSD-3-Clause
# Networks that take blue, green and red: by the family that their name tells, or as given; in every file and format.
shapes 24 >rgb.csv
dcnn prepare rgb.csv --no-stratify -o rgb.h5 >/dev/null 2>&1
# the same images with the first and last of each pixel's three numbers exchanged
awk -F, 'NR == 1 { print; next } { printf "%s", $1; for (i = 2; i <= NF; i += 3) printf ",%s,%s,%s", $(i + 2), $(i + 1), $i; print "" }' rgb.csv >bgr.csv
dcnn prepare bgr.csv --no-stratify -o bgr.h5 >/dev/null 2>&1
cat >plain.json <<'JSON'
{"class_name": "Sequential", "config": {"name": "vgg16", "layers": [
  {"class_name": "InputLayer", "config": {"batch_shape": [null, 32, 32, 3], "name": "image"}},
  {"class_name": "Conv2D", "config": {"filters": 4, "kernel_size": 3, "activation": "relu", "strides": 2}},
  {"class_name": "GlobalAveragePooling2D", "config": {}},
  {"class_name": "Dense", "config": {"units": 3, "activation": "softmax"}}]}}
JSON
how=(--epochs 2 --no-report --no-augment --batch-size 8)
caffe=(--scale 1 --mean 123.68,116.779,103.939 --channel-order bgr)
answers() { dcnn predict "$@" 2>/dev/null | cut -d, -f2-; }
dcnn train rgb.h5 --model plain.json "${how[@]}" --run made -q "${caffe[@]}" >/dev/null 2>&1
dcnn info made/best.h5 | grep '^mean\|^std\|^channel'
dcnn info made/best.h5 --json | grep -c '"channel_order": "bgr"'
# the file knows it; turned images in the other order are the same
cmp <(answers made/best.h5 rgb.h5) <(answers made/best.h5 bgr.h5 --scale 1 --mean 103.939,116.779,123.68 --channel-order rgb) && echo "order: same answers"
cmp -s <(answers made/best.h5 rgb.h5) <(answers made/best.h5 rgb.h5 --channel-order rgb) || echo "order counts"
for file in made.keras made.h5 made.onnx made.safetensors; do
    dcnn export made/best.h5 -o $file | grep -o 'takes.*'
    [[ $file == *.safetensors ]] || { cmp <(answers made/best.h5 rgb.h5) <(answers $file rgb.h5) && echo "$file: same answers"; }
done
# bytes in: a layer turns them
for file in bytes.keras bytes.h5 bytes.onnx; do
    dcnn export made/best.h5 --raw-input -o $file | grep -o 'takes.*'
    paste -d, <(answers made/best.h5 rgb.h5) <(answers $file rgb.h5) | awk -F, 'NR > 1 { for (i = 2; i <= NF / 2; i++) if (($i - $(i + NF / 2)) ^ 2 > 1e-11) bad++ } END { print bad + 0, "differ" }'
done
# trained on, on any ranks
dcnn train rgb.h5 --model made.keras --freeze 'conv*' "${how[@]}" --run one -q >/dev/null 2>&1
mpirun -np 3 dcnn train rgb.h5 --model made.keras --freeze 'conv*' "${how[@]}" --run three -q >/dev/null 2>&1
dcnn train rgb.h5 --model made.keras --freeze 'conv*' "${how[@]}" --run cut -q --stop-after 3 >/dev/null 2>&1
dcnn train rgb.h5 --run cut --resume --no-report -q >/dev/null 2>&1
[[ $(hash_of one/best.h5) == "$(hash_of three/best.h5)" ]] && echo "three ranks: same weights"
[[ $(hash_of one/best.h5) == "$(hash_of cut/best.h5)" ]] && echo "resumed: same weights"
dcnn info one/best.h5 | grep '^channel'
small_data
sed 's/32, 32, 3/8, 8, 1/' plain.json >grey.json
try dcnn train small.h5 --model grey.json --run none --channel-order bgr 2>&1 | grep -v '^data\|^run\|^step\|^dcnn 0'
try dcnn train rgb.h5 --model plain.json --run none --channel-order gbr 2>&1 | grep -v '^data\|^run\|^step\|^dcnn 0'
