# SPDX-License-Identifier: BSD-3-Clause
# A run's folder as an older version left it (tests/golden): it is shown, goes on, and ends as one that was never stopped,
# but for the rounding of kernels that have changed since.
# With the kernels that every CPU has, as it was made.
export DCNN_ISA=generic
cp -r "$DCNN_DATA/../tests/golden" golden
dcnn info golden/run-1/checkpoints/*.h5 | grep -E 'hash|epochs'
cp -r golden/run-1 old
cp golden/data-set-2.h5 data_set_2.h5
dcnn train data_set_2.h5 --run old --resume -q --no-report >/dev/null 2>said || cat said
dcnn train data_set_2.h5 --model golden/net.json --epochs 3 --batch-size 8 --checkpoint-every 3 --keep 1 --log-every 2 \
    --grain 16 --histograms --no-report -q --run new >/dev/null 2>said || cat said
for run in old new; do tail -n 1 $run/metrics.csv; done | awk -F, '{ loss[NR] = $3; val_loss[NR] = $5 }
    END { print (loss[1] - loss[2]) ^ 2 < 1e-8 && (val_loss[1] - val_loss[2]) ^ 2 < 1e-8 ? "the same losses" : "other losses: " loss[1] " " loss[2] " " val_loss[1] " " val_loss[2] }'
wc -l <old/metrics.csv
# and by the same bits on any number of ranks
cp -r golden/run-1 old-3
mpirun -np 3 dcnn train data_set_2.h5 --run old-3 --resume -q --no-report >/dev/null 2>&1
[[ $(hash_of old/best.h5) == "$(hash_of old-3/best.h5)" ]] && echo "three ranks: the same weights"
