# SPDX-License-Identifier: BSD-3-Clause
# An output that is one of the inputs, under whatever name, is refused: even with --force nothing of the user's is lost.
csv 40 6 2 >t.csv
ln -s t.csv link.h5
ln t.csv hard.h5
mkdir -p pictures/a pictures/b
for i in 1 2 3 4; do
    for class in a b; do (printf 'P5\n6 6\n255\n' && head -c $((36 + i)) t.csv | tail -c 36) >pictures/$class/$i.pgm; done
done
ln -s ../pictures/b/2.pgm pictures/elsewhere.h5
printf '%s\n' 'path,label' pictures/{a,b}/{1,2,3}.pgm | sed -E '2,$s,.*/(.)/.*,&\,\1,' >list.csv
find . -type f ! -name before -exec cksum {} + | sort -k3 >before

try dcnn prepare t.csv -o t.csv
for output in t.csv ./t.csv link.h5 hard.h5; do try dcnn prepare t.csv -o $output --force; done
dcnn prepare t.csv -o - 2>&1 >>t.csv || echo "exit $?"
try dcnn prepare list.csv --test t.csv -o t.csv --force
for output in a/1.pgm elsewhere.h5; do try dcnn prepare pictures -o pictures/$output --force 2>&1 | tail -n 2; done
try dcnn prepare list.csv -o pictures/b/3.pgm --force 2>&1 | tail -n 2
find . -type f ! -name before -exec cksum {} + | sort -k3 | cmp - before && echo untouched

# what is no input may be replaced, wherever it lies
dcnn prepare pictures -o pictures/data.h5 | tail -n 1
dcnn prepare pictures -o pictures/data.h5 --force | tail -n 1
small_data
dcnn prepare small.h5 -o small.h5 --force 2>&1 | tail -n 1
dcnn train small.h5 --model net.json --epochs 1 --run run -q --no-report >/dev/null 2>&1
cksum small.h5 small.csv run/best.h5 pictures/a/* >before
try dcnn export run/best.h5 -o run/best.h5 --force
for output in small.csv run/best.h5; do try dcnn predict run/best.h5 small.csv -o $output; done
try dcnn predict run/best.h5 small.h5 --split test -o small.h5
try ranks 2 dcnn predict run/best.h5 pictures -o pictures/a/2.pgm 2>&1 | tail -n 2
try dcnn predict run/best.h5 pictures t.csv -o pictures/a/2.pgm 2>&1 | tail -n 2
cksum small.h5 small.csv run/best.h5 pictures/a/* | cmp - before && echo untouched
dcnn predict run/best.h5 pictures -o pictures/said.csv -q
dcnn predict run/best.h5 pictures -o pictures/said.csv -q
wc -l <pictures/said.csv

# nor by a trace or by a figure of several runs
dcnn train small.h5 --model net.json --epochs 1 --run other -q --no-report >/dev/null 2>&1
ln -s run/run.json run.svg
ln -s small.h5 data.png
cksum small.h5 net.json run/* >before 2>/dev/null
for trace in small.h5 net.json; do try dcnn train small.h5 --model net.json --epochs 5 --run none --trace $trace; done
try dcnn train --run run --resume --epochs 9 --trace run/best.h5
try dcnn compare run other -o run.svg
try dcnn compare run other -o data.png
try dcnn compare run other -o table.csv
cksum small.h5 net.json run/* 2>/dev/null | cmp - before && echo untouched
# nor what is no earlier answer, wherever it is from
echo 'what others have made:'
for ending in keras onnx safetensors; do dcnn export run/best.h5 -o made.$ending >/dev/null; done
dcnn prepare small.csv -o others.h5 >/dev/null
head -4 small.csv >few.csv
echo 'some notes' >notes
: >empty
ln -s other/best.h5 to-best.png
step=$(echo other/checkpoints/*)
kept=(other/* "$step" made.* others.h5 net.json pictures/a/1.pgm)
cksum "${kept[@]}" >before 2>/dev/null
for output in other/best.h5 "$step" other/run.json made.keras made.onnx made.safetensors others.h5 net.json pictures/a/1.pgm; do
    try dcnn predict run/best.h5 few.csv -o "$output"
done
try dcnn compare run other -o to-best.png
cp net.json others.json
for trace in other/best.h5 made.onnx other/run.json others.json notes other/metrics.csv; do try dcnn train small.h5 --model net.json --epochs 5 --run none --trace $trace; done
cmp net.json others.json
for number in 1 2; do
    dcnn train small.h5 --model net.json --epochs 3 --batch-size 16 --run traced$number -q --no-report --trace trace.json >/dev/null 2>&1 && echo traced
done
cksum "${kept[@]}" 2>/dev/null | cmp - before && echo untouched
for trace in notes run/metrics.csv; do try dcnn tune small.h5 --model net.json --run none --trace $trace seed=1,2; done
# An earlier CSV of answers is known by its header; labels, metrics and notes are replaced by --force alone.
dcnn predict run/best.h5 few.csv -o answers.csv
sed '1s/label/id/' few.csv >ids.csv
dcnn predict run/best.h5 ids.csv -o with-ids.csv 2>/dev/null
dcnn predict run/best.h5 pictures t.csv -o with-files.csv 2>/dev/null
dcnn predict run/best.h5 few.csv --tta 3 -o votes.csv
dcnn predict run/best.h5 few.csv --format kaggle -o kaggle.csv
printf 'index,file,y0,y1\n0,1.pgm,3,4\n' >numbers.csv
head -qn 1 with-ids.csv with-files.csv votes.csv kaggle.csv
for output in answers.csv with-ids.csv with-files.csv votes.csv kaggle.csv numbers.csv empty; do
    dcnn predict run/best.h5 few.csv -o $output
    cmp $output answers.csv && echo "$output: replaced"
done
printf 'index,label,pixel0\n0,1,17\n' >labels.csv
printf 'index,label,p0,p2\n0,1,17\n' >columns.csv
printf 'index,label,p0' >cut.csv
printf 'index,file,label\n0,a.png,1\n' >list.csv
printf 'index,file,width\n0,a.png,1\n' >widths.csv
printf 'id,label\nx,1\n' >truth.csv
for output in labels.csv columns.csv cut.csv list.csv widths.csv truth.csv notes other/metrics.csv; do
    cp $output before
    try dcnn predict run/best.h5 few.csv -o $output
    cmp $output before
    dcnn predict run/best.h5 few.csv -o $output --force
    cmp $output answers.csv && echo "$output: replaced by --force"
done
printf 'id,label\nx,1\n' >truth.csv
try dcnn predict run/best.h5 few.csv --format kaggle --header id,label -o truth.csv # a header that is the user's
try dcnn predict run/best.h5 few.csv -o few.csv --force
try dcnn predict run/best.h5 pictures -o pictures/a/1.pgm --force # a picture among those that are looked at on the way
dcnn compare run other -o runs.svg | tail -n 1
cp runs.svg before
try dcnn compare run other -o runs.svg
cmp runs.svg before
dcnn compare run other -o runs.svg --force | tail -n 1
[[ -e none ]] && echo "a refused run left a folder"
