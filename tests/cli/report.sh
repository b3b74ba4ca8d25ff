# SPDX-License-Identifier: BSD-3-Clause
# Figures and a page of a run, and its TensorBoard file, on one process and on two ranks.
small_data
try dcnn train small.h5 --model net.json --epochs 2 --run run --no-report --no-tensorboard -q | tail -n 2
ls run
try dcnn report run --threads 1
ls run run/figures | grep -v most-wrong # a good model has none
cp run/report.html one.html
ranks 2 dcnn report run --no-tensorboard >/dev/null
cmp one.html run/report.html && echo "same page"
dcnn report run --split train >/dev/null
cmp -s one.html run/report.html || echo "another page for another split"
mkdir empty
try dcnn report empty
try dcnn report run/metrics.csv
try dcnn report run --split holdout
mv small.h5 moved.h5
try dcnn report run
try dcnn report run moved.h5 >/dev/null && echo "found where it is named"
