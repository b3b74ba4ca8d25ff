# SPDX-License-Identifier: BSD-3-Clause
# A 7 in every shape that people bring it in, to a network that knows digits: it says 7, or why it may not.
mnist=$DCNN_DATA/mnist
dcnn prepare "$mnist/train-images-idx3-ubyte.gz" "$mnist/train-labels-idx1-ubyte.gz" --limit 4000 -o digits.h5 >/dev/null
dcnn train digits.h5 --epochs 2 --batch-size 64 --no-augment --no-report --no-tensorboard --run r >/dev/null 2>&1
cp "$DCNN_DATA/../tests/cases/png_7/"* .
short() { sed -E 's/ \([0-9.]+ %\).*//'; }
dcnn predict r/best.h5 big_280x280_7.png grey8_7.png seven_7.bmp seven_7.jpg seven_7.pgm 2>&1 | short
dcnn predict r/best.h5 dark_on_white_7.png 2>&1 >/dev/null | sed 's/mean [0-9.]*/mean M/'
dcnn predict r/best.h5 dark_on_white_7.png --invert | short
