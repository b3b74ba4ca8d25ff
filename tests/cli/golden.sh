# A run's folder as an older version left it (tests/golden): it is shown, goes on, and ends as one that was never stopped.
# With the kernels that every CPU has, as it was made.
export DCNN_ISA=generic
cp -r "$DCNN_DATA/../tests/golden" golden
dcnn info golden/run-1/checkpoints/*.h5 | grep -E 'hash|epochs'
cp -r golden/run-1 old
cp golden/data-set-2.h5 data_set_2.h5
dcnn train data_set_2.h5 --run old --resume -q --no-report >/dev/null 2>said || cat said
dcnn train data_set_2.h5 --model golden/net.json --epochs 3 --batch-size 8 --checkpoint-every 3 --keep 1 --log-every 2 \
    --histograms --no-report -q --run new >/dev/null 2>said || cat said
hash_of old/best.h5
hash_of new/best.h5
wc -l <old/metrics.csv
