# SPDX-License-Identifier: BSD-3-Clause
# A search over options: the same table on any number of ranks, and after a kill; what it prints repeats the best.
small_data
fixed=(small.h5 --model net.json --batch-size 16 --grain 4 --epochs 4 --bn-momentum 0.5)
for count in 1 2 3; do
    ranks "$count" dcnn tune "${fixed[@]}" learning-rate=1e-3,3e-3,1e-2 rotation-range=0,10 --run "grid-$count" -q >said || cat said
    cut -d, -f1-7,9- "grid-$count/trials.csv"
done | sort | uniq -c | awk '{ print $1 }' | uniq -c | sed -E 's/^ *([0-9]+) ([0-9]+)$/\1 lines alike in \2/'
head -n 1 grid-1/trials.csv
wc -l <grid-1/trials.csv
head -c 4 grid-1/trials.png | tail -c 3
echo
ls grid-1
try dcnn tune "${fixed[@]}" learning-rate=1e-3,3e-3 rotation-range=0,10 --run again 2>&1 | sed -E 's/^([0-9]+) +4 +.*(learning)/\1 4 ACCURACY LOSS \2/; s/trial [0-9]+/trial N/; s/--(learning-rate|rotation-range) [0-9.e-]+/--\1 X/g; s/(learning-rate|rotation-range) [0-9.e-]+/\1 X/g; s/^[0-9]+ 4/N 4/; s/: [0-9.]+ % \([0-9]+ of 14\)/: ACCURACY/'
# The command that it prints.
command=$(sed -n 's/^  dcnn train/dcnn train/p' <(dcnn tune "${fixed[@]}" learning-rate=1e-3,3e-3,1e-2 rotation-range=0,10 --run grid-1 --resume -q 2>&1))
best=$(sed -n '2s/,.*//p' grid-1/trials.csv)
$command --run repeated -q --no-report >said 2>&1 || cat said
[[ $(hash_of repeated/best.h5) == "$(hash_of "grid-1/trial-00$best/best.h5")" ]] && echo "the command repeats the best"
# Killed in the middle of a trial, and gone on with on other ranks.
dcnn tune "${fixed[@]}" learning-rate=1e-3,3e-3,1e-2 rotation-range=0,10 --run killed -q >said 2>&1 &
until_step killed/trial-002
{ kill -9 $! && wait $!; } 2>/dev/null || echo "killed" # bash may tell of its end at either command
try dcnn tune "${fixed[@]}" learning-rate=1e-3,3e-3,1e-2 rotation-range=0,10 --run killed -q | grep -v 'taking this run over'
ranks 2 dcnn tune "${fixed[@]}" learning-rate=1e-3,3e-3,1e-2 rotation-range=0,10 --run killed --resume -q >said 2>&1 || cat said
cmp <(cut -d, -f1-7,9- grid-1/trials.csv) <(cut -d, -f1-7,9- killed/trials.csv) && echo "the same table"
try dcnn tune "${fixed[@]}" learning-rate=1e-3,4e-3 --run killed --resume -q
# Random values, the same for the same seed; successive halving.
printf 'learning-rate=1e-4:1e-2:log  # a range\n\noptimizer=adam,sgd\n' >space
dcnn tune "${fixed[@]}" --space space --trials 5 --run random -q >said 2>&1 || cat said
cut -d, -f1,10,11 random/trials.csv | sort -g
dcnn tune "${fixed[@]}" --space space --trials 9 --search halving --run halving -q >said 2>&1 || cat said
ls halving | grep -c epochs
wc -l <halving/trials.csv
for words in "" "learning-rate" "learning-rate=" "learning-rate=1e-3,x" "learning-rate=5:1" "batch-size=0,16" "no-such=1,2" \
    "run=a,b" "learning-rate=1e-3:1e-2 --search grid" "epochs=1,2" "learning-rate=1e-3,1e-2 --trials 3" "seed=1,2,1" "learning-rate=1e-3,0.001" \
    "batch-size=1:3:5" "optimizer=adam,adam" "momentum=0.8,0.9" "learning-rate=1e-3,1e-2 --ensemble 2"; do
    # shellcheck disable=SC2086
    try dcnn tune small.h5 --model net.json --run refused $words
done
ls refused 2>/dev/null
# Runs side by side.
try dcnn compare grid-1/trial-001 grid-1/trial-006 -o both.svg | sed -E 's/[0-9.]+ % \([0-9]+ of/N % (N of/g; s/ [0-9]+\.[0-9]+$/ SECONDS/; s/^(grid-1.trial-00[16]) +[0-9]+ +/\1 /; s/^(grid-1.trial-00[16] +[0-9]+ +)[0-9]+/\1N/; s/others:.*/others: N/; s/in all: [0-9]+/in all: N/; s/ +[0-9]+ +0 *$/ N 0/; s/^(grid.*) 0 +[0-9]+ *$/\1 0 N/'
grep -c '<svg' both.svg
for count in 1 2 3; do ranks "$count" dcnn compare grid-1/trial-001 grid-1/trial-006 grid-2/trial-003 --split train; done | sort | uniq -c | awk '{ print $1 % 3 }' | sort -u
try dcnn compare grid-1/trial-001
try dcnn compare grid-1/trial-001 space
# A signal stops all of them.
dcnn tune "${fixed[@]}" learning-rate=1e-3,3e-3 --stop-after 2 --run signal -q 2>&1 || echo "exit $?"
# Another search in its place, if it can begin.
sed 's/"Dense"/"Dance"/' net.json >unknown.json
try dcnn tune small.h5 --model unknown.json --epochs 4 learning-rate=1e-3,4e-3 --run signal --overwrite -q
ls -d signal/trial-001
dcnn tune "${fixed[@]}" learning-rate=1e-3,4e-3 --run signal --overwrite -q >said 2>&1 || cat said
cut -d, -f1,2,10 signal/trials.csv | sort
dcnn train small.h5 --model net.json --epochs 1 --run signal --overwrite -q --no-report >/dev/null 2>&1
ls signal
# What is true of all trials is told once.
dcnn tune "${fixed[@]/0.5/0.99}" learning-rate=1e-3,3e-3 --run warned 2>&1 | grep -c 'moving averages'
