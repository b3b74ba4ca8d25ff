# SPDX-License-Identifier: BSD-3-Clause
# Measurements: that they are there; their values are the machine's own.
small_data
numbers() { sed -E '/^< below half/,+1d; s/ <$//; s/ +[0-9]+[0-9.,]*( %)?/ N\1/g; s/(amx|avx512|avx2|generic|reference) kernels, fp32( \(AMX is idle.*\))?/ISA kernels, fp32/; s/ +-( |$)/ -\1/g; s/( N| -)+$/ .../'; }
dcnn bench small.h5 --model net.json --batch-size 16 --threads 1 --seconds 0.2 | numbers
dcnn bench small.h5 --model net.json --batch-size 16 --threads 1 --seconds 0.2 --json | grep -o '"[a-z_]*":' | sort | uniq -c
ranks 3 dcnn bench --model net.json --batch-size 40 --threads 1 --seconds 0.2 --json --no-augment --plain-sums | grep -E '"(ranks|threads|batch_size|data)"'
dcnn bench --seconds 0.1 --threads 2 --batch-size 32 | grep -E '^data'
net 9 3 >other.json
try dcnn bench small.h5 --model other.json
try dcnn bench nowhere.h5
try dcnn bench --model nowhere.json
try dcnn bench --seconds 0
# a recipe's network, batch and changes: elastic distortion takes longer than the default's
load() { dcnn bench --batch-size 64 --threads 1 --seconds 0.5 --json "$@" | sed -n 's/.*"load_augmented_s": \([^,]*\),*/\1/p'; }
awk -v plain="$(load)" -v best="$(load --recipe best)" 'BEGIN { print (best > 1.2 * plain ? "best changes more" : "best " best " plain " plain) }'
dcnn bench --recipe fast --threads 1 --seconds 0.1 --json | grep '"batch_size"'
try dcnn bench --recipe better
# numbers, which noise has none of; the model's own fault; memory; letters of two bytes in a column
awk 'BEGIN { print "a,pixel0,pixel1,pixel2,pixel3"; for (i = 0; i < 40; i++) printf "%.2f,1,2,%d,4\n", i / 40, i }' >numbers.csv
dcnn prepare numbers.csv --target-columns a -o numbers.h5 -q
flat() { printf '{"class_name": "Sequential", "config": {"layers": [{"class_name": "InputLayer", "config": {"batch_shape": [null, %s]}}, {"class_name": "Flatten", "config": {"name": "xéééééééééééééééééééé"}}, {"class_name": "Dense", "config": {%s}}]}}\n' "$1" "$2"; }
flat '2, 2, 1' '"units": 1' >one.json
dcnn train numbers.h5 --model one.json --epochs 1 --run numbers --no-report -q >/dev/null 2>&1
try dcnn bench --model numbers/best.h5
flat '8, 8, 1' '"units": 10, "activation": "softmaxx"' >wrong.json
try dcnn bench --model wrong.json | cut -c1-60
flat '2000, 2000, 3' '"units": 2, "activation": "softmax"' >huge.json
try dcnn bench --model huge.json --batch-size 1048576 | sed -E 's/, and .* leaves [^:]*:/, and LIMIT:/'
flat '8, 8, 1' '"units": 10, "activation": "softmax", "name": "yéééééééééééééééééééé"' >letters.json
dcnn bench --model letters.json --threads 1 --seconds 0.1 | sed -n 's/^\(y.*forward\) .*/\1/p'
cp small.h5 $'sm\xffll.h5'
dcnn bench $'sm\xffll.h5' --model net.json --threads 1 --seconds 0.1 --json | grep '"data"'
