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
try dcnn info small.h5 >full.said
dcnn info small.h5 >/dev/full
