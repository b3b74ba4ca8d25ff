# SPDX-License-Identifier: BSD-3-Clause
# Runs side by side, before they are done; options that somebody gave, and those that dcnn chose.
small_data
how=(--model net.json --batch-size 16 --no-report -q)
dcnn train small.h5 "${how[@]}" --epochs 3 --run whole >/dev/null 2>&1
dcnn train small.h5 "${how[@]}" --epochs 400 --run stopped --stop-after 9 >/dev/null 2>&1
dcnn train small.h5 "${how[@]}" --epochs 400 --run none --stop-after 1 >/dev/null 2>&1
for run in stopped none; do tail -n +2 $run/metrics.csv | wc -l; done
try dcnn compare whole stopped none | sed -n 1,7p | sed -E 's/[0-9.]+ % \([0-9]+ of/N % (N of/g; s/ [0-9]+\.[0-9]$/ SECONDS/; s/^(whole|stopped) +[1-3] /\1 N/; s/ +/ /g'
touch stopped/run.lock
dcnn compare whole stopped | grep 'finished'
rm stopped/run.lock
# A grain follows from its batch, and 0 is the model's own momentum.
dcnn train small.h5 --model net.json --no-report -q --epochs 1 --batch-size 8 --run eight >/dev/null 2>&1
dcnn train small.h5 "${how[@]}" --epochs 3 --bn-momentum 0.5 --grain 4 --run own >/dev/null 2>&1
dcnn compare whole eight | sed -n '/differ/,/^$/p' | sed 's/ *$//'
dcnn compare whole own | sed -n '/differ/,/^images/p' | sed 's/ *$//' | grep -v '^images'
# Nothing differs.
cp -r whole same
dcnn compare whole same | sed -n '/differ/,$p' | sed -E 's/ *$//; s/in all: [0-9]+/in all: N/'
