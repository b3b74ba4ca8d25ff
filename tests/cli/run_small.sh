# SPDX-License-Identifier: BSD-3-Clause
# From images to predictions, one process.
small_data
try dcnn train small.h5 --model net.json --epochs 2 --batch-size 16 --threads 1
ls runs/small runs/small/checkpoints
head -n 1 runs/small/metrics.csv
try dcnn train small.h5 --model net.json --epochs 1 --threads 2 -q
try dcnn train small.h5 --model net.json --epochs 1 --run runs/small
try dcnn evaluate runs/small/best.h5 --threads 1 | sed -E 's/[0-9]+/N/g'
dcnn evaluate runs/small/best.h5 small.h5 --split train --json | grep -o '"[a-z]*":' | sort | uniq -c
dcnn predict runs/small/best.h5 small.h5 --split test | sed -E 's/0\.[0-9]+|[0-9.]+e-[0-9]+/P/g; s/,[0-2],/,LABEL,/'
cut -d, -f2- small.csv >unlabelled.csv
dcnn predict runs/small/best.h5 unlabelled.csv --format kaggle -o out.csv
head -n 1 out.csv && wc -l <out.csv && sed -n '2s/,.*//p;81s/,.*//p' out.csv
dcnn predict runs/small/best.h5 small.csv unlabelled.csv --format kaggle | tail -n 80 | cut -d, -f2 | cmp - <(tail -n 80 out.csv | cut -d, -f2)
try dcnn predict runs/small/best.h5 small.h5
try dcnn evaluate runs/small/best.h5 --split holdout
