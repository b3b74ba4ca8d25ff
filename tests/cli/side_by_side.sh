# SPDX-License-Identifier: BSD-3-Clause
# Single processes share nothing: one needs no folder of Open MPI's, and many at once do not trip over each other's.
small_data
dcnn train small.h5 --model net.json --epochs 1 --run run -q --no-report >trained
touch file
for command in "info run/best.h5" "evaluate run/best.h5" "predict run/best.h5 small.h5 --split test" \
    "train small.h5 --model net.json --epochs 1 --run alone" "report run"; do
    # shellcheck disable=SC2086
    TMPDIR=$PWD/file dcnn $command -q >said 2>&1
    echo "${command%% *} $?"
done
# -q: one of them may tell that it removed what other tests' kill -9 had left
seq 60 | xargs -P 12 -I{} sh -c 'dcnn predict run/best.h5 small.h5 --split test -q >out.{} 2>&1; echo $?' | sort | uniq -c | sed 's/^ *//'
cat out.* | sort | uniq -c | awk '$1 != 60' # nothing: each said the same
