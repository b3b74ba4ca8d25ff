# SPDX-License-Identifier: BSD-3-Clause
try dcnn frobnicate
try dcnn --verbose train
try dcnn help evalute
try dcnn train --epoch 3
try dcnn train --no-agument
try dcnn train --json
try dcnn train -x
try dcnn train --batch-size 0
try dcnn train --batch-size many
try dcnn train --learning-rate=-1
try dcnn train --epochs
try dcnn train --augment=no
try dcnn train one.h5 two.h5
try dcnn train --resume --overwrite
try dcnn evaluate
try dcnn predict model.h5
try dcnn predict model.h5 input.csv --format xml
try dcnn info
try dcnn prepare
try dcnn prepare source
try ranks 2 dcnn train --epoch 3
try env DCNN_ISA=sse9 dcnn --version
