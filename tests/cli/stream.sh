# SPDX-License-Identifier: BSD-3-Clause
# Images held, streamed, shuffled by chunks, on one rank and two, stopped and resumed: the same weights. A container's
# 64 MB of /dev/shm. Sizes that cannot be.
csv 900 16 3 >data.csv
dcnn prepare data.csv -o data.h5 >prepare.said
cat >net.json <<'END'
{"class_name": "Sequential", "config": {"name": "small", "layers": [
  {"class_name": "InputLayer", "config": {"batch_shape": [null, 16, 16, 1]}},
  {"class_name": "Conv2D", "config": {"filters": 4, "kernel_size": 3, "activation": "relu"}},
  {"class_name": "MaxPooling2D", "config": {"pool_size": 2}},
  {"class_name": "Flatten", "config": {}},
  {"class_name": "Dense", "config": {"units": 3, "activation": "softmax"}}]}}
END
said() { sed -nE 's/leaves [0-9.]+ [MG]iB/leaves SIZE/; s/\((the machine.s free memory|the memory limit of this job or container)/(BOUND/; /^(data|order) .*(stream|chunk)/p' "$1"; }
net="train data.h5 --model net.json --epochs 2 --no-report -q"
loud="train data.h5 --model net.json --epochs 2 --no-report"

dcnn $net --run held
dcnn $loud --cache-memory 100K --run streamed >streamed.said 2>&1
said streamed.said
ranks 2 dcnn $net --cache-memory 100K --run two
dcnn $net --cache-memory 100K --stop-after 7 --run parted || echo "stopped $?"
ranks 2 dcnn $net --run parted --resume
for run in held streamed two parted; do hash_of $run/best.h5; done | sort | uniq -c | sed -E 's/[0-9a-f]{16}/HASH/'
dcnn evaluate held/best.h5 data.h5 --split train >evaluated
dcnn evaluate held/best.h5 data.h5 --split train --cache-memory 9K >evaluated-streamed 2>/dev/null
cmp evaluated evaluated-streamed && echo "evaluated alike"

dcnn $loud --shuffle chunks --run chunks >chunks.said 2>&1
said chunks.said
ranks 2 dcnn $net --shuffle chunks --cache-memory 100K --run chunks-two
for run in chunks chunks-two; do hash_of $run/best.h5; done | sort | uniq -c | sed -E 's/[0-9a-f]{16}/HASH/'
try dcnn $net --shuffle full --resume --run chunks
head -n 1 held/metrics.csv

# A file that is written to meanwhile is told, once for each time.
cp data.h5 changing.h5
dcnn train changing.h5 --model net.json --epochs 100000 --no-report --cache-memory 100K --run changing >changing.said 2>&1 &
until [[ $(wc -l <changing/metrics.csv) -gt 1 ]]; do sleep 0.05; done 2>/dev/null
touch changing.h5
while kill -0 $! 2>/dev/null && ! grep -q 'written to' changing.said; do sleep 0.05; done
kill $!
wait $! || echo "stopped $?"
grep 'written to' changing.said

try dcnn $net --cache-memory 40K --run no
try dcnn $net --cache-memory much --run no
try dcnn $net --cache-memory 9999999999G --run no
try dcnn $net --shuffle never --run no

# In 64 MB of /dev/shm, where namespaces may be made.
if unshare -m true 2>/dev/null; then
    unshare -m sh -c 'mount -t tmpfs -o size=64m tmpfs /dev/shm && exec "$@"' - dcnn $net --run shm
    unshare -m sh -c 'mount -t tmpfs -o size=64m tmpfs /dev/shm && exec "$@"' - mpirun -np 2 dcnn $net --run shm-two
else
    cp -r held shm && cp -r held shm-two
fi
for run in held shm shm-two; do hash_of $run/best.h5; done | sort | uniq -c | sed -E 's/[0-9a-f]{16}/HASH/'
