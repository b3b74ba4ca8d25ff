# SPDX-License-Identifier: BSD-3-Clause
csv 50 4 3 >data.csv
gzip -k data.csv
try dcnn prepare data.csv -o data.h5
cp data.h5 before.h5
try dcnn prepare data.csv -o data.h5 --seed 7
cmp data.h5 before.h5 && echo untouched
try dcnn prepare data.csv -o data.h5 --seed 7 --force
cmp -s data.h5 before.h5 || echo replaced
try dcnn prepare data.csv.gz --stratify --test-split 0.2 --shape 4x4x1 -o packed.h5
try dcnn prepare data.csv -o data.csv/data.h5
try dcnn prepare data.csv -o nowhere/data.h5
try ranks 2 dcnn prepare data.csv -o by-two.h5
cmp before.h5 by-two.h5 && echo same
cp data.h5 before.h5
(
    ulimit -f 1
    try dcnn prepare data.csv -o data.h5 --force
) | cat # a pipe, for the limit holds for the snapshot's own file too
cmp data.h5 before.h5 && echo untouched
dcnn prepare "$DCNN_DATA/mnist" --limit 500 -o digits.h5 | tail -n 1
ls
