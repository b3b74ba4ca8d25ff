# Measurements: that they are there; their values are the machine's own.
small_data
numbers() { sed -E '/^< below half/,+1d; s/ <$//; s/ +[0-9]+[0-9.,]*( %)?/ N\1/g; s/(amx|avx512|avx2|generic|reference) kernels, fp32( \(AMX is idle.*\))?/ISA kernels, fp32/; s/ +-( |$)/ -\1/g; s/( N| -)+$/ .../'; }
dcnn bench small.h5 --model net.json --batch-size 16 --threads 1 --seconds 0.2 | numbers
dcnn bench small.h5 --model net.json --batch-size 16 --threads 1 --seconds 0.2 --json | grep -o '"[a-z_]*":' | sort | uniq -c
ranks 3 dcnn bench --model net.json --batch-size 40 --threads 1 --seconds 0.2 --json --no-augment --plain-sums | grep -E '"(ranks|threads|batch_size|data)"'
dcnn bench --seconds 0.1 --threads 2 --batch-size 32 | grep -E '^data'
net 9 3 >other.json
try dcnn bench small.h5 --model other.json
try dcnn bench nowhere.h5
try dcnn bench --model nowhere.json
try dcnn bench --seconds 0
# a recipe's network, batch and changes: elastic distortion takes longer than the default's
load() { dcnn bench --batch-size 64 --threads 1 --seconds 0.5 --json "$@" | sed -n 's/.*"load_augmented_s": \([^,]*\),*/\1/p'; }
awk -v plain="$(load)" -v best="$(load --recipe best)" 'BEGIN { print (best > 1.2 * plain ? "best changes more" : "best " best " plain " plain) }'
dcnn bench --recipe fast --threads 1 --seconds 0.1 --json | grep '"batch_size"'
try dcnn bench --recipe better
