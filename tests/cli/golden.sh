# A run's folder as an older version left it (tests/golden): it is shown, goes on, and ends as one that was never stopped.
cp -r "$here/../golden" golden
dcnn info golden/run-1/best.h5 | grep -E 'hash|epochs'
mkdir runs
cp -r golden/run-1 runs/old
cp golden/data-set-2.h5 data_set_2.h5
dcnn train data_set_2.h5 --run runs/old --resume -q --no-report >/dev/null 2>said || cat said
dcnn train data_set_2.h5 --model golden/net.json --epochs 3 --batch-size 8 --checkpoint-every 3 --keep 1 --log-every 2 \
    --histograms --no-report -q --run runs/new >/dev/null 2>said || cat said
[[ $(hash_of runs/old/best.h5) == "$(hash_of runs/new/best.h5)" ]] && echo "the same end"
cut -d, -f1-4 runs/old/metrics.csv | wc -l
