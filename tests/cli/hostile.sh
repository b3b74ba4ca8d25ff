# SPDX-License-Identifier: BSD-3-Clause
# What other hands bring, or break: one sentence, exit 3 or 2, nothing hangs, nothing else is touched.
small_data
dcnn train small.h5 --model net.json --epochs 1 --run run -q --no-report >/dev/null 2>&1

# Things that never end.
mkfifo pipe
for input in /dev/zero pipe; do
    try timeout 60 dcnn info "$input"
    try timeout 60 dcnn train "$input" --run none
    try timeout 60 dcnn evaluate "$input" small.h5
    try timeout 60 dcnn predict run/best.h5 "$input"
done
try timeout 60 dcnn train small.h5 --model /dev/zero --run none

# An environment that makes no sense is not ignored.
try env DCNN_DOMAIN_RANKS=abc dcnn train small.h5 --model net.json --run none
try env DCNN_DOMAIN_RANKS=0 dcnn train small.h5 --model net.json --run none
try env DCNN_CHECK_COLLECTIVES=yes dcnn train small.h5 --model net.json --run none

# A batch larger than the data is the data.
try timeout 60 dcnn train small.h5 --model net.json --epochs 1 --batch-size 1048576 --run large -q --no-report

# The kernels of a run are part of its bits.
dcnn train small.h5 --model net.json --epochs 1 --run moved -q --no-report >/dev/null 2>&1
sed -i 's/"kernels": "[a-z0-9]*"/"kernels": "of another machine"/' moved/run.json
try dcnn train small.h5 --run moved --resume --epochs 2 -q --no-report | sed "s/goes on with '[a-z0-9]*'/goes on with 'ISA'/"

# What a killed Open MPI has left goes, what is young or another host's stays.
old=/dev/shm/vader_segment.$(hostname).dcnn-test-$$.0
for tries in 1 2 3; do # another test's start may be first to find it
    head -c 4096 /dev/zero | tee "$old" >"$old.young"
    touch -d '2 hours ago' "$old"
    DCNN_KEEP_LEFTOVERS=0 dcnn evaluate run/best.h5 small.h5 >said 2>&1
    if grep -q 'killed processes had left in /dev/shm' said; then echo "told" && break; fi
    [[ $tries != 3 ]] || echo "not told"
done
rm said
[[ -e $old ]] || echo "old: gone"
[[ -e $old.young ]] && echo "young: there"
rm -f "$old" "$old.young"
ls
