# SPDX-License-Identifier: BSD-3-Clause
# Recipes by name; smoothed labels; test-time augmentation: the same on any number of ranks, and after a resume.
small_data
try dcnn train small.h5 --model net.json --recipe small-data --epochs 1 --run small
for name in recipe original best fast photos; do
    dcnn train small.h5 --model net.json --recipe "$name" --batch-size 16 --epochs 1 --run "by-$name" --no-report 2>&1 | grep '^recipe'
done
# What a recipe says is what its options say; what is given beside it counts.
options=$(sed -n 's/^recipe photos: //p' <(dcnn train small.h5 --model net.json --recipe photos --epochs 1 --run words --no-report 2>&1))
# shellcheck disable=SC2086
dcnn train small.h5 --model net.json $options --epochs 2 --run spelt -q --no-report >said
dcnn train small.h5 --model net.json --recipe photos --epochs 2 --run named -q --no-report >said
[[ $(hash_of spelt/best.h5) == "$(hash_of named/best.h5)" ]] && echo "the same as its options"
dcnn train small.h5 --model net.json --recipe photos --ema 0.5 --epochs 2 --run other -q --no-report >said
[[ $(hash_of other/best.h5) == "$(hash_of named/best.h5)" ]] || echo "another with another option"
try dcnn train small.h5 --recipe better
grep -o '"recipe": "[a-z]*"' named/run.json | sort -u
# What is given beside a recipe is what it tells.
dcnn train small.h5 --model net.json --recipe fast --bn-momentum 0.9 --augment --run beside --no-report 2>&1 | grep '^recipe'
# Smoothed labels.
smooth=(small.h5 --model net.json --batch-size 16 --grain 4 --epochs 3 --label-smoothing 0.2 --no-report)
for count in 1 2 3; do
    ranks "$count" dcnn train "${smooth[@]}" --run "smooth-$count" -q >said || cat said
    hash_of "smooth-$count/best.h5"
done | sort | uniq -c | sed -E 's/^ *([0-9]+) .*/smoothed: \1 of 3 alike/'
dcnn train "${smooth[@]}" --run stopped --stop-after 5 -q >said 2>&1 || echo "exit $?"
dcnn train --run stopped --resume -q --no-report >said
[[ $(hash_of smooth-1/best.h5) == "$(hash_of stopped/best.h5)" ]] && echo "the same after a stop"
dcnn train small.h5 --model net.json --batch-size 16 --grain 4 --epochs 3 --run plain -q --no-report >said
[[ $(hash_of smooth-1/best.h5) == "$(hash_of plain/best.h5)" ]] || echo "not the same without"
# Several views of each image.
for count in 1 2 3; do ranks "$count" dcnn evaluate named/best.h5 small.h5 --split train --tta 5 --json; done |
    sed -E 's/,? *"(seconds|time)":[^,}]*//g' | tr -d '\n ' | sed 's/}{/}\n{/g' | sort | uniq -c | sed -E 's/^ *([0-9]+) .*/views: \1 of 3 alike/'
dcnn evaluate named/best.h5 small.h5 --split train --tta 5 | sed -n '3,6p' | sed -E 's/on [0-9,]+ of/on N of/'
dcnn predict named/best.h5 small.h5 --split test --tta 3 | head -n 1
dcnn predict named/best.h5 small.h5 --split test --tta 3 | awk -F, 'NR > 1 && ($NF < 0 || $NF >= 1) { print "no part: " $NF }'
# All of the training images to train.
idx_images 8 4 >train-images-idx3-ubyte; idx_labels 0 1 2 0 1 2 0 1 >train-labels-idx1-ubyte
idx_images 3 4 >t10k-images-idx3-ubyte; idx_labels 0 1 2 >t10k-labels-idx1-ubyte
mkdir digits && mv ./*-ubyte digits
try dcnn prepare digits --official -o official.h5
try dcnn prepare small.csv --official -o none.h5
ls none.h5 2>/dev/null || echo "none was left"
cp official.h5 kept.h5
try dcnn prepare small.csv --official --force -o kept.h5
cmp official.h5 kept.h5 && echo 'the file before is as it was'
try dcnn prepare digits --official --test-split 0.1 -o other.h5
# What a network reads.
dcnn info "$DCNN_DATA/models/digits.json" | grep '^reads'
