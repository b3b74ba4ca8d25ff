# Schedules, optimizers and averages as Keras has them: the same best.h5 and last weights on 1, 2 and 3 ranks and after a
# stop at an epoch's end and in one; what does not go together is refused.
small_data
train() { dcnn train small.h5 --run run "$@"; }
try train --schedule constant --plateau patience=2
try train --schedule plateau --decay-rate 1
try train --schedule plateau --pieces 2=0.1
try train --schedule plateau --plateau patience=2,mode=min
try train --schedule piecewise
try train --schedule piecewise --pieces 4=0.1,2=0.5
try train --keras-warmup
try train --ema-overwrite 3
try train --model net.json --weight-decay 0.1 --undecayed alpha
[[ -e run ]] && echo "a refused run left a folder"
net 8 3 | sed 's|^.*"Flatten".*|&\n  {"class_name": "Dense", "config": {"units": 5, "activation": "relu", "name": "hidden"}},|' >deep.json
arguments=(small.h5 --model deep.json --batch-size 16 --grain 4 --epochs 4 --learning-rate 0.02 --no-report)
last() { hash_of "$(printf '%s\n' "$1"/checkpoints/step-*.h5 | tail -n 1)"; }
while read -r -a words <&3; do
    for count in 1 2 3; do
        ranks "$count" dcnn train "${arguments[@]}" "${words[@]}" --run "run-$count" --overwrite -q >said || cat said
        echo "$(hash_of "run-$count/best.h5") $(last "run-$count")"
    done | sort | uniq -c | sed -E "s/^ *([0-9]+) .*/${words[*]}: \1 of 3 alike/"
    for stop in 9 12; do # four steps an epoch
        dcnn train "${arguments[@]}" "${words[@]}" --run stopped --overwrite -q --stop-after "$stop" >said 2>&1 || echo "exit $?"
        ranks 2 dcnn train "${arguments[@]}" --run stopped --resume -q >said || cat said
        cmp <(hash_of run-1/best.h5) <(hash_of stopped/best.h5) && cmp <(last run-1) <(last stopped) &&
            echo "the same after a stop at $stop"
    done
done 3<<'WAYS'
--optimizer muon
--optimizer muon --clip-norm 0.5 --learning-rate-of hidden=0.1
--schedule plateau --plateau patience=1,min-delta=0.5,cooldown=1 --decay-rate 0.5
--ema 0.6 --ema-overwrite 3
--schedule piecewise --pieces 1=0.5,2.5=0.1 --warmup 1 --keras-warmup --log-every 1
--optimizer adamw --weight-decay 0.5 --undecayed none
WAYS
# The rates of steps: the warm-up from 0, pieces by epochs; a plateau's by what was told and what the checkpoint holds.
how=(--model net.json --batch-size 16 --epochs 3 --learning-rate 0.02 --no-report --log-every 1 --overwrite)
train "${how[@]}" --schedule piecewise --pieces 1.5=0.5,2=0.1 --warmup 1 --keras-warmup -q >said 2>&1 || cat said
grep -o '"learning_rate":[0-9.e-]*' run/steps.jsonl | tr '\n' ' '
echo
train "${how[@]}" --schedule plateau --plateau patience=1,min-delta=10 2>&1 | grep '^rate'
dcnn export run/checkpoints/step-00000012.h5 -o plateau.keras | grep -o 'learning rate [0-9.e-]*'
try train --resume --plateau patience=3
