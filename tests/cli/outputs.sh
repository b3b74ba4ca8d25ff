# SPDX-License-Identifier: BSD-3-Clause
small_data
dcnn train small.h5 --model net.json --epochs 1 --run run -q --no-report >/dev/null
head -4 small.csv >few.csv
dcnn predict run/best.h5 few.csv -o plain.csv

# same FILE: has it the bytes that it should have?
same() { if cmp -s "$1" plain.csv; then echo "$1: whole"; else echo "$1: differs"; fi; }

mkdir deep
ln -s deep/new.h5 new.h5
ln -s deep/trace.json trace.json
: >deep/old
ln -s deep/old link
try dcnn predict run/best.h5 few.csv -o link
same deep/old
try dcnn predict run/best.h5 few.csv -o - | sed 1,1d | head -n -1 >dash
same dash
ln -s /proc/self/fd/1 own # as /dev/stdout is; that one belongs to the whole machine
(echo before && dcnn predict run/best.h5 few.csv -o own && echo after) >stdout
sed -i '1d;$d' stdout
same stdout
mkfifo fifo
cat fifo >from-fifo &
try dcnn predict run/best.h5 few.csv -o fifo
wait
same from-fifo

dcnn prepare small.csv --no-stratify -o - 2>said | cat >piped.h5
cat said
cmp piped.h5 small.h5 && echo piped
: >deep/new.h5
dcnn prepare small.csv --no-stratify -o new.h5 --force >/dev/null
cmp deep/new.h5 small.h5 && echo linked
: >deep/trace.json
try dcnn train small.h5 --model net.json --epochs 3 --batch-size 16 --run traced -q --no-report --trace trace.json
[[ -s deep/trace.json ]] && echo traced

# Closed streams: messages do not go into the file that would take a stream's place.
for closed in '>&-' '<&- >&-' '2>&- >/dev/null' '<&- >&- 2>&-'; do
    code=0
    eval "dcnn prepare small.csv --no-stratify -o silent.h5 --force $closed" 2>/dev/null || code=$?
    cmp silent.h5 small.h5 && echo "whole after $closed, exit $code"
done
rm silent.h5

# Never the machine's own device: as root an output that replaces it breaks every program. Others make no devices.
if mknod null c 1 3 2>/dev/null; then
    dcnn predict run/best.h5 few.csv -o null
    dcnn prepare small.csv --no-stratify -o null 2>/dev/null
    [[ -c null ]] && rm null
fi
for output in deep deep/ none/; do try dcnn predict run/best.h5 few.csv -o $output; done
for output in deep deep/ none/; do try dcnn prepare small.csv -o $output --force; done
try dcnn export run/best.h5 -o deep/
try dcnn compare run traced -o deep
try dcnn train small.h5 --model net.json --run none --trace deep
ln -s round round
try dcnn predict run/best.h5 few.csv -o round
rm round
# As cp: nothing is written through a link that leads to no file, nor is it replaced. That, and a folder that is not
# there, is said before the work.
echo 'places where no output can be:'
for ending in '' .h5 .keras .svg; do ln -s deep/nowhere dangling$ending; done
for output in dangling none/file; do
    try dcnn predict run/best.h5 missing.csv -o $output
    try dcnn prepare missing.csv -o $output.h5 --force
    try dcnn export missing.h5 -o $output.keras --force
    try dcnn compare run traced -o $output.svg --force
    try dcnn train small.h5 --model net.json --run none --trace $output
    try dcnn tune small.h5 --model net.json --run none --trace $output seed=1,2
done
find . -maxdepth 2 ! -path './run*/*' ! -path './traced/*' | sort | while read -r name; do
    [[ $name == ./own ]] || stat -c '%N %F' "$name"
done
