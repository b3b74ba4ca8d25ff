# SPDX-License-Identifier: BSD-3-Clause
small_data
try dcnn info small.h5
try dcnn info small.h5 --json
try dcnn info net.json
cp "$DCNN_DATA/models/digits.json" .
try dcnn info digits.json
dcnn train small.h5 --model net.json --epochs 1 --run run -q >/dev/null
dcnn train small.h5 --model net.json --epochs 1 --run eights --batch-size 8 -q --no-report >/dev/null 2>&1
dcnn info eights/best.h5 | grep '^a step' # as it was trained
dcnn info eights/best.h5 --batch-size 64 | grep '^a step'
try dcnn info run/best.h5 | grep -v -e '^best epoch' -e '^epochs'
dcnn info run/best.h5 --json | grep -o -e '"kind": .*' -e '"sealed": .*' -e '"epoch": .*' -e '"batch-size": .*' -e '"trainable_params": [0-9]*'
try ranks 2 dcnn info net.json
dcnn info net.json | head -n 1
# names that are not UTF-8, which JSON cannot have
odd=$'caf\xe9'
cp small.h5 "$odd.h5"
cp net.json "$odd.json"
cp run/best.h5 "$odd-best.h5"
for file in "$odd.h5" "$odd.json" "$odd-best.h5"; do dcnn info "$file" --json | tee said | grep '"file"'; iconv -f UTF-8 -t UTF-8 said >/dev/null && echo UTF-8; done
dcnn evaluate "$odd-best.h5" "$odd.h5" --json | grep -e '"model"' -e '"data"'
try dcnn train "$odd.h5" --model net.json --epochs 1 --run odd -q --no-report 2>&1 | iconv -f latin1 -t UTF-8
dcnn train small.h5 --model "$odd.json" --epochs 1 --run odd -q --no-report >/dev/null 2>&1
grep '"model"' odd/run.json | sort -u

try dcnn info small.h5 >full.said
dcnn info small.h5 >/dev/full
