# SPDX-License-Identifier: BSD-3-Clause
# The embedded digits, cut short, on one process and on two ranks: the same bits.
mnist=$DCNN_DATA/mnist
dcnn prepare "$mnist/train-images-idx3-ubyte.gz" "$mnist/train-labels-idx1-ubyte.gz" --limit 500 -o digits.h5 | tail -n 1
dcnn train digits.h5 --epochs 1 --run one --threads 1 -q >/dev/null
try ranks 2 dcnn train digits.h5 --epochs 1 --run two
[[ $(hash_of one/best.h5) == "$(hash_of two/best.h5)" ]] && echo "same weights"
dcnn evaluate one/best.h5 --split validation --json | grep -v '"model"' >one.json
ranks 2 dcnn evaluate two/best.h5 --split validation --json | grep -v '"model"' >two.json
cmp one.json two.json && echo "same metrics"
dcnn predict one/best.h5 digits.h5 --split test -o one.csv
ranks 2 dcnn predict two/best.h5 digits.h5 --split test -o two.csv
cmp one.csv two.csv && wc -l <one.csv
ranks 2 dcnn predict two/best.h5 "$mnist/t10k-images-idx3-ubyte.gz" --format kaggle -o kaggle.csv
wc -l <kaggle.csv
