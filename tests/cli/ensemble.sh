# SPDX-License-Identifier: BSD-3-Clause
# Several networks side by side: each member is the run of its seed alone, on any number of ranks; one file of them all.
small_data
arguments=(small.h5 --model net.json --batch-size 16 --grain 4 --epochs 3 --bn-momentum 0.5 --no-report)
for count in 1 2 3 5; do
    ranks "$count" dcnn train "${arguments[@]}" --ensemble 3 --run "of-$count" -q >said || cat said
    for file in best.h5 member-{1,2,3}/best.h5; do hash_of "of-$count/$file"; done
done | sort | uniq -c | awk '{ print $1 }' | uniq -c | sed -E 's/^ *([0-9]+) ([0-9]+)$/\1 weights alike in \2/'
for seed in 42 43 44; do
    dcnn train "${arguments[@]}" --seed "$seed" --run "alone-$seed" -q >said
    [[ $(hash_of "alone-$seed/best.h5") == "$(hash_of "of-2/member-$((seed - 41))/best.h5")" ]] && echo "member $((seed - 41)) is the run of seed $seed"
done
# Stopped in the second member, and gone on with, without its options.
dcnn train "${arguments[@]}" --ensemble 3 --run stopped -q --stop-after 5 >said 2>&1 || echo "exit $?"
rm -rf stopped/member-3
ranks 2 dcnn train --run stopped --resume --no-report -q >said || cat said
[[ $(hash_of stopped/best.h5) == "$(hash_of of-1/best.h5)" ]] && echo "the same after a stop"
# A member that a later start begins, without options and without the data set's name, has the batch of those before it.
csv 100 22 3 >few.csv
dcnn prepare few.csv -o few.h5 >said
for given in --seed=7 --batch-size=128; do
    dcnn train few.h5 --epochs 1 --no-report "$given" --ensemble 2 --run "chosen$given" -q >said 2>&1 || cat said
    rm -rf "chosen$given/member-2"
    dcnn train --run "chosen$given" --resume --no-report -q >said 2>&1 || cat said
    for number in 1 2; do dcnn info "chosen$given/member-$number/best.h5" | grep -o 'of [0-9]* images'; done
done
try dcnn train "${arguments[@]}" --ensemble 3 --run of-1
try dcnn train "${arguments[@]}" --ensemble 1 --run one
try dcnn train "${arguments[@]}" --ensemble 3 --overwrite --run of-1 | sed -E 's/on [0-9]+$/on N/; s/vote [0-9.]+ % \([0-9]+/vote NUMBER % (N/'
# One model for evaluate, predict, info, export.
dcnn info of-1/best.h5 | grep -E '^(ensemble|params|reads)'
for count in 1 2 3; do ranks "$count" dcnn evaluate of-1/best.h5 small.h5 --split train --json; done | tr -d '\n ' | sed 's/}{/}\n{/g' |
    sort | uniq -c | sed -E 's/^ *([0-9]+) .*/evaluated: \1 of 3 alike/'
dcnn evaluate of-1/best.h5 small.h5 --split train --json | grep -o '"voters": [0-9]*'
# The mean of the members' probabilities.
for number in 1 2 3; do dcnn predict "of-1/member-$number/best.h5" small.h5 --split test | cut -d, -f3-5 | tail -n +2 >"p$number"; done
dcnn predict of-1/best.h5 small.h5 --split test | cut -d, -f3-5 | tail -n +2 >mean
paste -d, p1 p2 p3 mean | awk -F, '{ for (j = 1; j <= 3; j++) { e = ($j + $(j + 3) + $(j + 6)) / 3 - $(j + 9); if (e * e > 1e-12) bad++ } }
    END { print NR " images, " bad + 0 " means are wrong" }'
for format in keras onnx; do
    dcnn export of-1/best.h5 -o "joined.$format" >said 2>&1 || cat said
    dcnn evaluate "joined.$format" small.h5 --split train --json | grep -o '"correct": [0-9]*' | head -n 1
done | sort | uniq -c | sed -E 's/^ *([0-9]+) .*/exported: \1 of 2 alike/'
try dcnn train small.h5 --model of-1/best.h5 --epochs 1 --run again -q
dcnn report of-1 >said 2>&1 || cat said
ls of-1
