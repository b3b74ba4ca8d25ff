# SPDX-License-Identifier: BSD-3-Clause
# Unbalanced classes: weights from a word, a file or the command line, and classes drawn equally often; cut in two too.
csv 200 8 3 | awk -F, 'NR == 1 || $1 != 2 || NR % 4 == 0' >few.csv
net 8 3 >net.json
dcnn prepare few.csv -o few.h5 | grep classes
common=(few.h5 --model net.json --batch-size 16 --no-report --no-tensorboard --epochs 3)
told() { sed -n 's/, from 0\..*/, from RATE/; /^weigh \|^even\|^rate/p'; }
dcnn train "${common[@]}" --run words --class-weight balanced --mixup 0.3 --cutmix 1 2>&1 | told
printf 'class,weight\n0,1\n2,3\n' >weights.csv
dcnn train "${common[@]}" --run whole --class-weight weights.csv --oversample 2>&1 | told
dcnn train "${common[@]}" --run cut --class-weight weights.csv --oversample --stop-after 7 >/dev/null 2>&1 || true
rm weights.csv # the run knows what it said
ranks 2 dcnn train "${common[@]}" --run cut --resume 2>&1 | told
dcnn train "${common[@]}" --run one --class-weight '{"1": 2}' 2>&1 | told
test "$(hash_of whole/best.h5)" = "$(hash_of cut/best.h5)" && echo "the same, cut in two"
printf '{"0": 1, "2": 4}' >weights.json
try dcnn train "${common[@]}" --run cut --resume --class-weight weights.json 2>&1 | grep '^dcnn: the\|exit'
try dcnn train "${common[@]}" --class-weight '{"elk": 2}' 2>&1 | grep '^dcnn: --class\|exit'
try dcnn train few.h5 --class-weight lost.csv
try dcnn train few.h5 --class-weight balanced --oversample
try dcnn train few.h5 --no-augment --mixup 0.2
try dcnn train few.h5 --mixup 0.2 --grain 1
try dcnn train few.h5 --cutmix 1 --batch-size 1
# the rate once patience is over: from where the cosine is by then to 0
dcnn train "${common[@]}" --epochs 60 --patience 2 --learning-rate 0.3 --run patient --log-every 1 2>&1 | told
sed -n 's/.*"learning_rate": *\([0-9.e-]*\).*/\1/p' patient/steps.jsonl | awk '{ rate[NR] = $1 }
    END { print (rate[NR] < rate[1] / 100 && rate[NR - 17] > rate[1] / 2 ? "it fell" : "from " rate[1] " to " rate[NR]) }'
# it has ended; without patience it goes on
try dcnn train few.h5 --run patient --resume --patience 0 --stop-after 3 --no-report 2>&1 | grep '^rate\|stopped by' | sed 's/step [0-9]*/step N/'
