# SPDX-License-Identifier: BSD-3-Clause
# A model in other programs' formats, by the ending of the file.
model=$DCNN_DATA/../tests/expected/keras_graph.keras
for file in a.keras a.h5 a.weights.h5 a.onnx a.safetensors; do
    dcnn export "$model" -o $file
done
net 8 3 >net.json
csv 60 8 3 >few.csv
dcnn prepare few.csv -o few.h5 >/dev/null
dcnn train few.h5 --model net.json --run run --epochs 1 --no-report >/dev/null 2>&1
dcnn export run/best.h5 -o best.onnx
dcnn export run/best.h5 -o raw.keras --raw-input
dcnn export run/checkpoints/step-00000001.h5 -o moments.keras
dcnn export run/best.h5 -o best.safetensors
dcnn info raw.keras | sed -n '1,6p'
grep -ao 'byte / 255 - mean) / std' best.onnx
dcnn train few.h5 --model net.json --weights best.safetensors --run again --epochs 1 --no-report 2>&1 | grep -c 'hash [0-9a-f]'
try dcnn export run/best.h5 -o best.onnx
try dcnn export run/best.h5 -o best.tflite
try dcnn export run/best.h5
try dcnn export raw.keras -o b.onnx --mean 0.5
dcnn export a.weights.h5 -o b.onnx 2>&1
dcnn export run/best.h5 -o best.weights.h5
dcnn train few.h5 --model net.json --weights best.weights.h5 --run beside --epochs 1 --no-report 2>&1 | grep -c 'hash [0-9a-f]'
try dcnn info best.weights.h5
try dcnn info best.safetensors
try dcnn train few.h5 --model net.json --weights a.safetensors --run other --no-report
# an ONNX model is a model like others: here dcnn's own, then one of PyTorch's
for model in run/best.h5 best.onnx; do dcnn evaluate $model few.h5 | grep '^accuracy\|^loss' >$(basename $model).said; done
cmp best.h5.said best.onnx.said && echo "the same accuracy and loss"
dcnn train few.h5 --model best.onnx --run onnx --epochs 1 --no-report 2>&1 | grep -c 'hash [0-9a-f]'
torch=$DCNN_DATA/../tests/expected
dcnn info $torch/onnx_mobile.onnx | tail -n 5 | head -n 3
dcnn export $torch/onnx_odd.onnx -o odd.keras
cp $torch/onnx_mobile.onnx alone.onnx
try dcnn info alone.onnx
head -c 5000 $torch/onnx_odd.onnx >cut.onnx
try dcnn info cut.onnx
