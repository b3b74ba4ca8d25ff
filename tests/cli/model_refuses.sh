# SPDX-License-Identifier: BSD-3-Clause
small_data
csv 40 9 3 >nine.csv
csv 40 8 5 >five.csv
dcnn prepare nine.csv -o nine.h5 >/dev/null
dcnn prepare five.csv -o five.h5 >/dev/null
dcnn train small.h5 --model net.json --epochs 1 --run run -q >/dev/null
try dcnn evaluate missing.h5
try dcnn evaluate small.h5
try dcnn evaluate run/best.h5 nine.h5
try dcnn evaluate run/best.h5 five.h5
try dcnn evaluate run/best.h5 missing.h5
try dcnn predict run/best.h5 nine.h5 --split test --no-resize
try dcnn predict run/best.h5 nine.csv --shape 9x9x1 --no-resize
idx_images 2 9 >nine.idx
try dcnn predict run/best.h5 nine.idx --no-resize
try dcnn predict run/best.h5 missing.csv
try ranks 2 dcnn predict run/best.h5 nine.csv --shape 9x9x1 --no-resize
