# SPDX-License-Identifier: BSD-3-Clause
# Three epochs on real digits by the reference kernels, by the fast ones, and by those without fused layers: what is
# learnt is the same within noise. The second layer is large enough for the fused kernels' larger tiles.
mnist=$DCNN_DATA/mnist
cat >net.json <<'END'
{"class_name": "Sequential", "config": {"layers": [
  {"class_name": "Conv2D", "config": {"filters": 8, "kernel_size": 3, "activation": "relu"}},
  {"class_name": "MaxPooling2D", "config": {}},
  {"class_name": "Conv2D", "config": {"filters": 16, "kernel_size": 3, "activation": "relu"}},
  {"class_name": "MaxPooling2D", "config": {}},
  {"class_name": "Flatten", "config": {}},
  {"class_name": "Dense", "config": {"units": 10, "activation": "softmax"}}]}}
END
dcnn prepare "$mnist/train-images-idx3-ubyte.gz" "$mnist/train-labels-idx1-ubyte.gz" --limit 2000 -o digits.h5 >prepare.said
learn() { # NAME OPTION...
    dcnn train digits.h5 --model net.json --epochs 3 --batch-size 32 --learning-rate 0.003 --no-augment --seed 3 \
        --threads 1 --no-report --run "$@" -q >train.said || cat train.said
    tail -n 1 "$1/metrics.csv"
}
DCNN_ISA=reference learn reference >metrics
learn fast >>metrics
learn unfused --no-fuse >>metrics
# epoch,accuracy,loss,val_accuracy,val_loss: within a point, two hundredths, and the reference has learnt something.
awk -F, 'function off(a, b) { return a > b ? a - b : b - a }
    NR == 1 { accuracy = $2; loss = $3; val_accuracy = $4; val_loss = $5; print (val_accuracy > 0.8 ? "learnt" : $0) }
    NR > 1 {
        same = off($2, accuracy) < 0.01 && off($3, loss) < 0.02 && off($4, val_accuracy) < 0.01 && off($5, val_loss) < 0.02
        print (same ? "same" : $0)
    }' metrics
