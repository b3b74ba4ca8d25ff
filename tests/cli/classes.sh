# SPDX-License-Identifier: BSD-3-Clause
# The same truth under names in another order: one accuracy; other names: refused.
cp "$DCNN_DATA/../tests/cases/"h5_SILENT_class* . && chmod u+w ./*.h5
net 8 10 >net.json
dcnn train h5_SILENT_class_names_order_1.h5 --model net.json --epochs 30 --batch-size 8 --no-augment --no-report --run one >said 2>&1 || cat said
for order in 1 2_same_truth; do
    dcnn evaluate one/best.h5 "h5_SILENT_class_names_order_$order.h5" --split train 2>said | grep '^accuracy'
    cat said
done
small_data
dcnn evaluate one/best.h5 small.h5 2>&1 | grep 'support\|numbers' # classes without names go by number
csv 40 8 3 | sed '2,$s/^0/cat/; 2,$s/^1/dog/; 2,$s/^2/emu/' >named.csv
dcnn prepare named.csv -o named.h5 | tail -n 1
try dcnn evaluate one/best.h5 named.h5
echo "-- predict, report and train --model have the model's classes"
other=h5_SILENT_class_names_order_2_same_truth.h5
dcnn predict one/best.h5 h5_SILENT_class_names_order_1.h5 --split train -o first.csv 2>/dev/null
dcnn predict one/best.h5 $other --split train -o second.csv 2>said
cmp <(cut -d, -f3- first.csv) <(cut -d, -f3- second.csv) && echo "the same predictions"
grep mapped said
cp -r one two
dcnn report one h5_SILENT_class_names_order_1.h5 --split train >/dev/null
dcnn report two $other --split train 2>&1 >/dev/null | grep mapped
cmp one/figures/confusion-matrix.svg two/figures/confusion-matrix.svg && echo "the same figure"
common=(--model one/best.h5 --epochs 1 --batch-size 8 --no-augment --no-report)
dcnn train h5_SILENT_class_names_order_1.h5 "${common[@]}" --run three 2>/dev/null | grep hash >three.hash
dcnn train $other "${common[@]}" --run four 2>four.said | grep hash | cmp - three.hash && echo "the same training"
grep mapped four.said
net 8 10 >ten.json
for file in one.keras one.onnx one.safetensors; do
    dcnn export one/best.h5 -o $file >/dev/null
    named=(--model "$file")
    if [[ $file == *.safetensors ]]; then named=(--model ten.json --weights "$file"); fi
    dcnn train $other "${named[@]}" --epochs 1 --batch-size 8 --no-augment --no-report --run "of-$file" 2>"$file.said" | grep hash >"$file.hash"
    grep mapped "$file.said"
    [[ $(dcnn info "of-$file/best.h5" | grep '^classes') == "$(dcnn info one/best.h5 | grep '^classes')" ]] && echo "$file: the model's classes"
done
cmp one.keras.hash three.hash && cmp one.safetensors.hash three.hash && echo "the same training from each"
echo "-- numbers are no names: the model's stay, and those of the data set are taken"
net 8 3 >three.json
dcnn train named.h5 "${common[@]:2}" --model three.json --run names 2>&1 | grep -c numbers
dcnn train small.h5 "${common[@]:2}" --model names/best.h5 --run further 2>&1 | grep numbers
dcnn info further/best.h5 | grep '^classes'
dcnn train small.h5 "${common[@]:2}" --model three.json --run numbered 2>&1 | grep -c numbers
dcnn evaluate numbered/best.h5 named.h5 2>&1 | grep numbers
dcnn train named.h5 "${common[@]:2}" --model numbered/best.h5 --run renamed 2>&1 | grep numbers
dcnn info renamed/best.h5 | grep '^classes'
csv 40 8 3 | sed '/^0,/d' >part.csv
dcnn prepare part.csv -o part.h5 >/dev/null 2>&1
dcnn evaluate numbered/best.h5 part.h5 2>&1 | grep 'mapped\|numbers' # '1' is the model's '1', not its first
sed '2,$s/^1/dog/; 2,$s/^2/emu/' part.csv >some.csv
dcnn prepare some.csv -o some.h5 >/dev/null 2>&1
try dcnn evaluate numbered/best.h5 some.h5 # which two of its three?
dcnn predict numbered/best.h5 some.h5 --split test | wc -l
echo "-- a model that names none: the order is a guess, told where names depend on it"
dcnn train named.h5 "${common[@]:2}" --model three.json --run made 2>&1 | grep -c 'order' # a description guesses nothing
dcnn export made/best.h5 -o made.onnx >/dev/null
sed 's/class_names/other_names/' made.onnx >mute.onnx
dcnn evaluate mute.onnx named.h5 2>&1 | grep 'order'
dcnn evaluate mute.onnx small.h5 2>&1 | grep -c 'order' # numbers on both sides
try dcnn evaluate mute.onnx some.h5
dcnn evaluate mute.onnx part.h5 2>&1 | grep 'mapped\|order'
dcnn predict mute.onnx named.h5 --split test 2>&1 | grep -c 'order' # answers by number
dcnn train named.h5 "${common[@]:2}" --model mute.onnx --run named 2>&1 | grep 'order'
dcnn train named.h5 "${common[@]:2}" --model mute.onnx --replace-head --run renewed 2>&1 | grep -c 'order' # learns them
try dcnn predict one/best.h5 named.h5 --split train
try dcnn report one named.h5
try dcnn train named.h5 "${common[@]}" --run five 2>&1 | grep '^dcnn: \|^exit'
echo "-- ids of a table come back, by way of its data set too"
(head -n 1 small.csv | sed 's/^/id,/' && tail -n +2 small.csv | awk '{ print "x" NR "," $0 }') >ids.csv
dcnn prepare ids.csv -o ids.h5 | grep -c "id"
dcnn predict one/best.h5 ids.h5 --split test 2>/dev/null | cut -d, -f1-3 | head -n 3
