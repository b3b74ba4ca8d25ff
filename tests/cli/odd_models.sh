# SPDX-License-Identifier: BSD-3-Clause
# What Keras takes otherwise, or not at all, is told; so is what a lone array is taken for.
csv 40 8 3 >few.csv
dcnn prepare few.csv -o few.h5 >/dev/null
train() { dcnn train few.h5 --model "$1.json" --run "$1" --epochs 1 --no-report 2>&1 | sed -n '/^model /p'; }
net 8 3 | sed 's/"kernel_size": 3,/"kernel_size": 2, "strides": 2, "dilation_rate": 2,/' >dilated.json
train dilated
for ending in keras h5 onnx weights.h5; do try dcnn export dilated/best.h5 -o "dilated.$ending"; done
net 8 3 | sed 's/^  {"class_name": "Conv2D"/  {"class_name": "RandomCrop", "config": {"height": 6, "width": 6}},\n&/' >crop.json
train crop
dcnn info crop/best.h5 | grep Re.*ing # behind it, so that Keras computes the same
dcnn evaluate crop/best.h5 few.h5 2>&1 | grep -c RandomCrop
dcnn predict crop/best.h5 few.h5 --split test 2>/dev/null >crop.csv
for ending in keras h5; do
    dcnn export crop/best.h5 -o "crop.$ending" | grep Resizing
    dcnn predict "crop.$ending" few.h5 --split test 2>/dev/null | cmp - crop.csv && echo "$ending: the same predictions"
done
dcnn train few.h5 --model crop/best.h5 --run further --epochs 1 --no-report 2>&1 | grep -c RandomCrop
dcnn train few.h5 --model crop.json --run crop --resume --epochs 2 --no-report -q >said 2>&1 && echo "gone on with" || cat said
net 8 3 | sed 's/"units": 3/"units": 3, "use_bais": false/' >misspelt.json
try dcnn train few.h5 --model misspelt.json --run misspelt
net 8 3 >plain.json
train plain
npy 192 '8, 8, 3' >color.npy
npy 192 '8, 8, 3, 1' >grey.npy
dcnn predict plain/best.h5 color.npy 2>&1 | sed 's/0\.[0-9]*/P/g'
npy 512 "4, 8, 8, 2" >pairs.npy
try dcnn predict plain/best.h5 pairs.npy # not known to be grey and alpha
npy 256 "1, 8, 8, 4" >four.npy
try dcnn predict plain/best.h5 four.npy
dcnn predict plain/best.h5 grey.npy 2>/dev/null | wc -l
