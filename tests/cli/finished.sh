# SPDX-License-Identifier: BSD-3-Clause
# A finished run says so, and at which rate it goes on; what was refused leaves no folder; run.json knows every start.
small_data
net 9 3 >nine.json
train() { dcnn train small.h5 --run "$@"; }
train run --model net.json --batch-size 16 --epochs 1 -q --no-report >/dev/null
try train run --resume --no-report
try train run --resume --epochs 4 --no-report
try train run --resume --epochs 5 --no-report -q
grep -c '"date": "20' run/run.json # of the last start, and of each of four
grep '^ *"step":' run/run.json | sort -u
tr -d ' \n' <run/run.json | grep -o '"command":[^]]*]' | tail -n 1
grep -o '"weights_hash": "[0-9a-f]\{16\}"' run/result.json | sed 's/"[0-9a-f]*"$/HASH/'
grep -A 4 '"test"' run/result.json
train steady --model net.json --batch-size 16 --epochs 1 --no-augment -q --no-report >/dev/null
train steady --resume --epochs 2 --no-report 2>&1 | grep -c '^rate'

try train made/here/run --model absent.json
try train made/here/run --model nine.json
try dcnn train net.json
mkdir kept
try train kept/run --model absent.json
find . -type d | sort

# More ranks, or threads, than grains.
train wide --model net.json --batch-size 16 --epochs 1 --threads 3 -q --no-report 2>&1 >/dev/null | grep -o 'each computed.*'
ranks 2 dcnn train small.h5 --run wider --model net.json --batch-size 2 --epochs 1 -q --no-report --threads 1 2>&1 |
    grep -o ': [12] of .* idle'
dcnn slurm small.h5 --nodes 2-4 --time 10 --ranks-per-node 16 2>&1 >/dev/null
dcnn slurm small.h5 --nodes 4 --time 10 --ranks-per-node 16 --batch-size 1024 2>&1 >/dev/null
dcnn slurm small.h5 --nodes 20 --time 10 --ranks-per-node 15 --batch-size 2048 2>&1 >/dev/null
dcnn slurm small.h5 --nodes 64 --time 10 --ranks-per-node 16 --batch-size 8192 2>&1 >/dev/null

# What belongs to another command, or to another program.
try dcnn train run
try dcnn show run/best.h5
try dcnn info run/run.json
try dcnn train small.h5 --lr 1
try dcnn train small.h5 --no-l2 1
try dcnn prepare small.csv --val-split 0.1
# What --overwrite is to replace stays until data, network and options of the new run are known to be good.
dcnn train small.h5 --model net.json --epochs 1 --run kept -q --no-report >/dev/null 2>&1
before=$(hash_of kept/best.h5)
sed 's/"units": 3/"units": 7/' net.json >other.json
for wrong in '--model other.json' '--freeze nothing-there' '--ensemble 2 --freeze nothing-there' '--then epochs=0' \
    '--monitor val_auc --patience 2'; do
    # shellcheck disable=SC2086 # words
    dcnn train small.h5 --model net.json $wrong --run kept --overwrite -q --no-report >said 2>&1 || echo "exit $? of $wrong"
    [[ $(hash_of kept/best.h5) == "$before" && -e kept/run.json ]] || echo "lost by $wrong"
done
dcnn train small.h5 --model net.json --epochs 1 --ensemble 2 --run kept --overwrite -q --no-report >/dev/null 2>&1
find kept -maxdepth 1 -name 'member-*' | wc -l
# Members go with their ensemble; what only looks like one stays, and so does another run's folder of such a name.
mkdir kept/member-notes
touch kept/member-notes/mine
dcnn train small.h5 --model net.json --epochs 1 --run kept --overwrite -q --no-report >/dev/null 2>&1
[[ $(hash_of kept/best.h5) == "$before" ]] && ls kept
mkdir kept/member-7
cp kept/run.json kept/member-7
dcnn train small.h5 --model net.json --epochs 1 --run kept --overwrite -q --no-report >/dev/null 2>&1
ls kept/member-7
