# SPDX-License-Identifier: BSD-3-Clause
# Folders of runs, and files of settings, that other hands have made: nothing waits, nothing fills the memory, nothing is
# said to the terminal but text, and commands to copy are what a shell takes.
small_data
how=(--model net.json --batch-size 16 --epochs 2 --no-report -q)
dcnn train small.h5 "${how[@]}" --run run >/dev/null 2>&1
dcnn tune small.h5 --model net.json --batch-size 16 --epochs 1 learning-rate=1e-3,3e-3 --run search -q >/dev/null 2>&1
mkfifo pipe

echo 'files of a run that are none:'
for name in run.json result.json metrics.jsonl; do
    for place in pipe /dev/zero; do
        rm -rf other && cp -r run other && rm "other/$name"
        if [[ $place == pipe ]]; then mkfifo "other/$name"; else ln -s "$place" "other/$name"; fi
        try timeout 60 dcnn compare run other
    done
done
rm -rf other && cp -r run other
echo '{"validation": ' >other/result.json
try dcnn compare run other
rm search/run.json && mkfifo search/run.json
try timeout 60 dcnn tune small.h5 --model net.json --batch-size 16 --epochs 1 learning-rate=1e-3,3e-3 --run search --resume -q
rm -rf other && mkdir other && mkfifo other/run.json
try timeout 60 dcnn train small.h5 --run other --resume
rm -rf other && cp -r run other && rm other/run.json && mkfifo other/run.json.removed
timeout 60 dcnn train small.h5 "${how[@]}" --run other --overwrite >said 2>&1 || cat said
find other -name '*.removed'

echo 'places of a run in which nothing would end:'
dcnn train small.h5 "${how[@]}" --run stopped --stop-after 7 >/dev/null 2>&1 || true
for name in metrics.csv metrics.jsonl steps.jsonl histograms.jsonl result.json run.json best.h5 report.html evaluation.json \
    events.out.tfevents.dcnn run.lock checkpoints/step-00000099.h5 figures/loss.png; do
    rm -rf other && cp -r stopped other && mkdir -p other/figures && rm -f "other/$name" && mkfifo "other/$name"
    try timeout 60 dcnn train small.h5 --run other --resume --no-report -q
done
rm other/figures/loss.png && ln -s /dev/zero other/metrics.csv.1 && mv other/metrics.csv.1 other/metrics.csv
try timeout 60 dcnn train small.h5 --run other --resume --no-report -q
mkfifo new.csv && mkdir new && mv new.csv new/metrics.csv
try timeout 60 dcnn train small.h5 "${how[@]}" --run new
mv new/metrics.csv new/run.json
try timeout 60 dcnn train small.h5 "${how[@]}" --run new
echo 'folders, and links that lead nowhere:'
for name in metrics.csv metrics.jsonl steps.jsonl histograms.jsonl result.json run.json best.h5 report.html evaluation.json \
    events.out.tfevents.dcnn run.lock checkpoints/step-00000099.h5 figures/loss.png; do
    for thing in folder link; do
        rm -rf other && cp -r stopped other && mkdir -p other/figures && rm -f "other/$name"
        if [[ $thing == folder ]]; then mkdir "other/$name"; else ln -s /nowhere/else "other/$name"; fi
        find other -type f -exec cksum {} + | sort >before
        try timeout 60 dcnn train small.h5 --run other --resume --no-report -q | sed 1d
        if [[ $thing == folder ]]; then
            try timeout 60 dcnn train small.h5 "${how[@]}" --run other --overwrite | grep -c 'is a folder, where\|exit 3'
        fi
        find other -type f -exec cksum {} + | sort | cmp - before
    done
done
for name in checkpoints figures; do
    rm -rf other && cp -r stopped other && rm -rf "other/$name" && echo mine >"other/$name"
    try timeout 60 dcnn train small.h5 --run other --resume --no-report -q
    try timeout 60 dcnn train small.h5 "${how[@]}" --run other --overwrite
done
rm -rf other && cp -r stopped other && mkdir -p other/figures/mine.d other/checkpoints/old && ln -s nowhere other/checkpoints/link
ln -sf nowhere other/best.h5 # goes with the run that is replaced
timeout 60 dcnn train small.h5 "${how[@]}" --run other --overwrite >said 2>&1 || cat said
ls -d other/figures/mine.d other/checkpoints/old
rm -rf new && mkdir -p new/best.h5
try timeout 60 dcnn train small.h5 "${how[@]}" --run new
for name in report.html figures/loss.svg events.out.tfevents.dcnn; do
    rm -rf other && cp -r run other && mkdir -p other/figures && rm -f "other/$name" && mkfifo "other/$name"
    try timeout 60 dcnn report other --tensorboard
done
rm -rf other && cp -r run other && rm other/metrics.csv && mkfifo other/metrics.csv
timeout 60 dcnn train small.h5 "${how[@]}" --run other --overwrite >said 2>&1 || cat said
[[ -f other/metrics.csv ]] && echo "replaced with the run"

echo 'values to search over:'
head -c 5000 /dev/zero >zeros
printf 'learning-rate=%01000000d\n' 1 >long
for place in pipe /dev/zero zeros long none.txt; do
    try timeout 60 dcnn tune small.h5 --model net.json --space "$place" --run none | cut -c1-200
done
cp small.h5 'small & "large".h5'
printf 'learning-rate=1e-3\nmodel=net.json,the net.json\n' >space
cp net.json 'the net.json'
dcnn tune 'small & "large".h5' --batch-size 16 --epochs 1 --space space --class-weight '{"1": 2}' --run quoted -q >said 2>&1 || cat said
sed -n 's/--model .*/--model NAME/; s/^  dcnn train/dcnn train/p' said
[[ $(sed -n "s/.*--model '\(.*\)'/\1/p; s/.*--model \(net.json\)/\1/p" said) == *net.json ]] && echo "its model has a name that a shell takes"

echo 'what never ends:'
for source in 'cat /dev/zero' 'yes'; do
    $source | try timeout 60 dcnn predict run/best.h5 -
done

echo 'what a terminal would obey:'
rm -rf other && cp -r run other
sed -i 's/"class-weight": null/"class-weight": "\\u001b]0;mine\\u0007\\u009b2J"/; s/"--no-report"/"--no-report", "--class-weight"/' other/run.json
dcnn compare run other | grep -a class-weight | cat -v
