# SPDX-License-Identifier: BSD-3-Clause
small_data
net 8 3 | sed 's/"filters": 4/"filters": 5/' >other.json
train() { dcnn train small.h5 --run run "$@"; }
dcnn train small.h5 --model net.json --batch-size 16 --epochs 2 --run whole -q >/dev/null
try train --model net.json --batch-size 16 --epochs 2 --stop-after 3
try train --epochs 2
try train --resume --batch-size 32
try train --resume --no-augment --learning-rate 0.5
try train --resume --model other.json
try train --resume --model missing.json
mv net.json moved.json
try train --resume --model moved.json --batch-size 16
[[ $(hash_of whole/best.h5) == "$(hash_of run/best.h5)" ]] && echo "same weights"
dcnn prepare small.csv --seed 3 -o other.h5 >/dev/null
try dcnn train other.h5 --run run --resume --epochs 3
newest=$(printf '%s\n' run/checkpoints/*.h5 | tail -n 1)
printf 'damage' | dd of="$newest" bs=1 seek=3000 conv=notrunc status=none
try train --resume --epochs 2 -q
try dcnn train small.h5 --run fresh --resume --model moved.json --epochs 1 -q
try train --overwrite --model moved.json --epochs 1 -q
# what the run never had; what its own options made of its model
dcnn train small.h5 --run frozen --model moved.json --freeze conv2d --precision bf16 --bn-momentum 0.5 --epochs 2 --stop-after 1 --no-report -q 2>said || true
try dcnn train small.h5 --run frozen --resume --class-weight balanced
try dcnn train small.h5 --run fresh --resume --precision bf16 --epochs 2
try dcnn train small.h5 --run fresh --resume --freeze conv2d --epochs 2
try dcnn train small.h5 --run frozen --resume --model moved.json --no-report -q 2>&1 | grep '^\$\|^dcnn: \|exit'
# without its checkpoints a run is not begun over its best.h5; one that has none yet says with which options it begins
mkdir away && mv fresh/checkpoints/* away
before=$(hash_of fresh/best.h5)
try dcnn train small.h5 --run fresh --resume -q
[[ $(hash_of fresh/best.h5) == "$before" ]] && echo "best.h5 as it was"
mv away/* fresh/checkpoints
try dcnn train small.h5 --run fresh --resume -q
dcnn train small.h5 --run fresh --resume --weights away.safetensors 2>&1 | grep away
# nor where all are damaged; nor does a start replace files that no run there has made
cp -r fresh cut && truncate -s -32 cut/checkpoints/*.h5
try dcnn train --run cut --resume -q
[[ $(hash_of cut/best.h5) == "$before" ]] && echo "best.h5 as it was"
mkdir models && cp fresh/best.h5 models
try dcnn train small.h5 --run models --epochs 1 -q
[[ $(hash_of models/best.h5) == "$before" ]] && ls -A models
for name in report.html events.out.tfevents.dcnn; do
    rm -rf mine && mkdir mine && echo mine >mine/$name
    try dcnn train small.h5 --run mine --epochs 1 -q
    cat mine/$name
done
rm frozen/best.h5 frozen/checkpoints/*
find frozen -type f -exec cksum {} + | sort >before
try dcnn train small.h5 --run frozen --resume --model moved.json --epochs 1 --no-report
try dcnn train --run frozen --resume --epochs 1
rm frozen/result.json frozen/metrics.jsonl
try ranks 2 dcnn train --run frozen --resume --epochs 1
rmdir frozen/checkpoints
try dcnn train --run frozen --resume --epochs 1
find frozen ! -name figures ! -path '*figures/*' | sort
find frozen -type f -exec cksum {} + | sort | comm -13 before -
find frozen -type f ! -name run.json -delete # as a start leaves it that was killed before its first checkpoint
try dcnn train small.h5 --run frozen --resume --model moved.json --epochs 1 --no-report
# the embedded digits are not unpacked for a start that is refused
mkdir digits && cp fresh/best.h5 digits
(mkdir elsewhere && cd elsewhere && mv ../digits . && try dcnn train --run digits --resume && find . | sort)
# data that changed under a run
dcnn prepare small.csv --seed 3 -o small.h5 --force >/dev/null
try dcnn train --run whole --resume --epochs 3 -q
try dcnn evaluate whole/best.h5 -q 2>&1 >/dev/null
dcnn evaluate whole/best.h5 other.h5 -q 2>&1 >/dev/null
try dcnn report whole
