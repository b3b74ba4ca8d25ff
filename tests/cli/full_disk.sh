# SPDX-License-Identifier: BSD-3-Clause
small_data
dcnn train small.h5 --model net.json --epochs 1 --run run -q >/dev/null
csv 3000 8 3 >many.csv
dcnn predict run/best.h5 small.csv -o kept.csv
cp kept.csv before.csv
cp small.h5 small.before
(
    export PMIX_MCA_gds=hash # Open MPI's other way to start needs large files itself
    ulimit -f 20
    try dcnn predict run/best.h5 many.csv -o kept.csv
    try dcnn train small.h5 --model net.json --epochs 1 --run full -q
    try dcnn prepare many.csv -o small.h5 --force
    try dcnn prepare many.csv -o many.h5
) | cat
cmp small.h5 small.before && ls many.h5 2>/dev/null || echo "the old data set is whole, the new one is not there"
# a disk that is full, where namespaces may be made; no memory for what has to be unpacked, and no room beside the data set
csv 20000 16 3 | gzip -1 >packed.csv.gz
if unshare -m true 2>/dev/null; then
    mkdir disk
    unshare -m sh -c 'mount -t tmpfs -o size=1m tmpfs disk && dcnn prepare packed.csv.gz -o disk/set.h5; echo "exit $?"; ls -A disk' 2>&1
else
    grep -A 4 '^packed.csv.gz' "$DCNN_DATA/../tests/cli/full_disk.out"
fi
ls full full/checkpoints
cmp kept.csv before.csv && echo untouched
find . -name '*.tmp'
