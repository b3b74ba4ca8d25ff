# SPDX-License-Identifier: BSD-3-Clause
# What stands beside the checkpoints, damaged or gone: run.json without a data set's name on the command line, what report reads,
# best.h5. tests/trust/run has the rest, file by file.
small_data
train=(train small.h5 --model net.json --batch-size 16 --epochs 3 --run run -q --no-report)
dcnn "${train[@]}" --stop-after 7 >/dev/null 2>&1 || true
cp -r run stopped
dcnn "${train[@]}" --resume >/dev/null 2>&1
cp -r run ended
again() {
    rm -rf run
    cp -r "$1" run
}

again stopped
try dcnn train --run run --resume -q --no-report
again stopped
echo '{"data": ' >run/run.json
try dcnn train --run run --resume -q --no-report
rm run/run.json
try dcnn train --run run --resume -q --no-report
again stopped
sed -i 's/"format_version": 1/"format_version": 99/; s/"dcnn": "[^"]*"/"dcnn": "7.5.0"/' run/run.json
try dcnn train --run run --resume -q --no-report
again ended
sed -i 's/"format_version": 1/"format_version": 99/; s/"dcnn": "[^"]*"/"dcnn": "7.5.0"/' run/run.json
try dcnn report run
echo '[]' >run/run.json
try dcnn report run
rm run/run.json
try dcnn report run
again ended
echo '{"epoch": 1, "step": }' >run/metrics.jsonl
try dcnn report run
rm run/metrics.jsonl
try dcnn report run

# The best epoch's network is gone: where it was the one that the checkpoint has, it is there again; else it is told.
dcnn train small.h5 --model net.json --batch-size 16 --epochs 1 --run first -q --no-report >/dev/null 2>&1
before=$(hash_of first/best.h5)
rm first/best.h5
try dcnn train small.h5 --run first --resume -q --no-report
[[ $before == "$(hash_of first/best.h5)" ]] && echo "the same best.h5"
dcnn train small.h5 --model net.json --batch-size 16 --epochs 3 --learning-rate 0.3 --run best -q --no-report >/dev/null 2>&1
for damage in gone cut another; do
    rm -rf one
    cp -r best one
    case $damage in
    gone) rm one/best.h5 ;;
    cut) truncate -s 3000 one/best.h5 ;;
    another) cp first/best.h5 one/best.h5 ;;
    esac
    try dcnn train small.h5 --run one --resume -q --no-report
done
rm -rf one
cp -r stopped one
rm one/best.h5
try dcnn train small.h5 --run one --resume -q --no-report
