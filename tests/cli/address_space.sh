# SPDX-License-Identifier: BSD-3-Clause
# Under `ulimit -v` memory that is not there is refused before any is taken, on all ranks, with what is needed and what
# would help; dcnn doctor says it, too. Not with AddressSanitizer, which takes terabytes of address space itself.
small_data
export OPENBLAS_NUM_THREADS=1 # each more takes 128 MiB of it
# numbers: of bytes, which differ from machine to machine.
numbers() { sed -E 's/[0-9]+\.[0-9] [KMG]iB/SIZE/g; s/ on [^ ,]+,/ on HOST,/; s/ on [^ ,]+ \(/ on HOST (/'; }
# limited KILOBYTES N COMMAND...: N ranks that may have so much address space each.
limited() {
    local kilobytes=$1 count=$2
    shift 2
    # shellcheck disable=SC2016
    ranks "$count" bash -c 'ulimit -v "$0"; exec "$@"' "$kilobytes" "$@"
}
cat >wide.json <<'END'
{"class_name": "Sequential", "config": {"name": "wide", "layers": [
  {"class_name": "InputLayer", "config": {"batch_shape": [null, 8, 8, 1]}},
  {"class_name": "Flatten", "config": {}},
  {"class_name": "Dense", "config": {"units": 200000, "activation": "relu"}},
  {"class_name": "Dense", "config": {"units": 3, "activation": "softmax"}}]}}
END
for count in 1 2; do
    try limited 1200000 "$count" dcnn train small.h5 --model wide.json --run "wide-$count" -q 2>&1 | numbers
done
# shellcheck disable=SC2016
try bash -c 'ulimit -v 450000; exec dcnn doctor' | sed '/^slow/,/mend:/d' | sed -n '/^wrong/,$p' | numbers | sed -E 's/^(wrong) +[^ ]+:/\1 HOST:/; s/^dcnn: [0-9]+ things? (is|are)/dcnn: N things are/'
# Where OpenBLAS's own threads find no room they ask for it for ever, and exit() would wait for them.
# roomless KILOBYTES ARGUMENT...
roomless() {
    local kilobytes=$1
    shift
    # shellcheck disable=SC2016
    OPENBLAS_NUM_THREADS=2 bash -c 'ulimit -v "$0"; exec timeout 20 dcnn "$@"' "$kilobytes" "$@"
}
csv 30 8 3 >rows.csv
for kilobytes in 100000 150000; do
    try roomless "$kilobytes" --version | sed '/^\$/p; $!d'
    try roomless "$kilobytes" info small.h5 | sed '/^\$/p; $!d'
    try roomless "$kilobytes" evaluate nothing small.h5
done
try roomless 100000 prepare rows.csv -o rows.h5 --threads 2 | sed '/^rows/d'
try roomless 100000 train small.h5 --run no-keeper --threads 2 -q
sed 's/200000/20/; s/wide/narrow/' wide.json >narrow.json
# Small stacks are made larger, or refused where that is forbidden, instead of a segmentation fault.
try bash -c 'ulimit -S -s 64; exec dcnn train small.h5 --model narrow.json --epochs 1 --threads 2 --run narrow --no-report -q' | sed '/^exit/!d'
try bash -c 'ulimit -s 64; exec dcnn train small.h5 --model narrow.json --epochs 1 --threads 2 --run narrow-2 -q'
