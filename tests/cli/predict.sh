# SPDX-License-Identifier: BSD-3-Clause
# Images as people have them: any size, folders, lists, a pipe; broken ones among others; dark on light; ids.
small_data
dcnn train small.h5 --model net.json --epochs 2 --batch-size 16 --threads 1 --run r --no-report -q >/dev/null 2>&1
# grey SIDE LIGHT: an image of one shade but for a corner
grey() {
    printf 'P2 %d %d 255\n' "$1" "$1"
    for ((i = 0; i < $1 * $1; i++)); do echo $((i < $1 ? 90 : $2)); done
}
labels() { sed -E 's/: [0-2] \([0-9.]+ %\), then [0-2] \([0-9.]+ %\)$/: LABEL (P), then LABEL (P)/'; }
columns() { sed -E 's/,[0-2],[0-9.e,+-]+$/,LABEL,P/'; }
mkdir -p folder/a/deep folder/b
grey 8 120 >folder/a/one.pgm
grey 16 120 >folder/a/deep/two.pgm
grey 40 130 >folder/b/three.pgm
echo 'no image' >folder/b/notes.txt
head -c 40 folder/a/one.pgm >cut.pgm
# named one by one
try dcnn predict r/best.h5 folder/a/one.pgm folder/b/three.pgm | labels
# a folder, a list, standard input: the same images, the same answers
dcnn predict r/best.h5 folder 2>&1 | columns
printf '%s\n' folder/a/deep/two.pgm folder/a/one.pgm folder/b/three.pgm >list.txt
dcnn predict r/best.h5 folder -o folder.csv -q
cmp folder.csv <(dcnn predict r/best.h5 list.txt -q)
cmp folder.csv <(dcnn predict r/best.h5 - <list.txt -q)
cmp folder.csv <(ranks 2 dcnn predict r/best.h5 folder -q)
dcnn predict r/best.h5 - <folder/a/one.pgm | labels
# one bad among many
try dcnn predict r/best.h5 cut.pgm folder/a/one.pgm missing.pgm --format csv | columns | sed 's/cut.pgm: .*/cut.pgm: REASON/'
try dcnn predict r/best.h5 cut.pgm | sed 's/cut.pgm: .*/cut.pgm: REASON/'
try dcnn predict r/best.h5 folder/a/one.pgm folder/b/three.pgm --no-resize | labels
# light where the training images were dark, and the way out
grey 8 255 >light.pgm
csv 40 8 2 | awk -F, -v OFS=, 'NR > 1 { for (i = 2; i <= NF; i++) $i = int($i / 8) } 1' >dark.csv
dcnn prepare dark.csv -o dark.h5 >/dev/null
net 8 2 >two.json
dcnn train dark.h5 --model two.json --epochs 1 --run d --no-report -q >/dev/null 2>&1
try dcnn predict d/best.h5 light.pgm | labels
try dcnn predict d/best.h5 light.pgm --invert | labels
# a model that scales bytes itself says nothing of its training images, nor does --scale
sed 's/, "config": {"batch_shape".*/&\n  {"class_name": "Rescaling", "config": {"scale": 0.0039}},/' two.json >scales.json
for options in "--model scales.json" "--model two.json --scale 1"; do
    dcnn train dark.h5 $options --epochs 1 --run e --overwrite --no-report -q >/dev/null 2>&1
    try dcnn predict e/best.h5 light.pgm | labels
done
# black ink that only the alpha channel draws
base64 -d >ink.png <<<iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAQAAABuBnYAAAAAEklEQVR4nGNggID/QIgC6CwAADSMD/Hj4llMAAAAAElFTkSuQmCC
try dcnn predict r/best.h5 ink.png | labels
# ids of a table come back
(head -n 1 small.csv | sed 's/^label/id/' && tail -n 3 small.csv | awk -F, -v OFS=, '{ $1 = "x" NR } 1') >ids.csv
dcnn predict r/best.h5 ids.csv | columns
dcnn predict r/best.h5 ids.csv --format kaggle | sed 's/,.$/,LABEL/'
dcnn predict r/best.h5 ids.csv --format kaggle --header id_code,diagnosis | head -n 1
try dcnn predict r/best.h5 ids.csv --header id_code,diagnosis
# labels as Python objects, which nobody asks for; images as such
base64 -d >object_labels.npz <<<UEsDBC0AAAAIAAAAIQDwo8eb//////////8KABQAaW1hZ2VzLm5weQEAEAAAAQAAAAAAAMgAAAAAAAAAm+wX6hsQychQxlCtnpJanFykbqWgXlNqqK6joJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBakAvkaRjoKFkCkqaNQq0Ae4GJgZGJmYWVj5+Dk4ubh5eMXEBQSFhEVE5eQlJKWkZWTV1BUUlZRVVPX0NTS1tHV0zcwNDI2MTUzt7C0sraxtbN3cHRydnF1c/fw9PL28fXzDwgMCg4JDQuPiIyKjomNi09ITEpOSU1Lz8jMys7JzcsvKCwqLiktK6+orKquqa2rBwBQSwMELQAAAAgAAAAhAI+HqMr//////////wUAFAB5Lm5weQEAEAAdAQAAAAAAAMkAAAAAAAAApYw/C4JQFMV9/SGI5ma3ZyAOTdHSEDQkWQQNDSEvfWFgKtdnIBW0RAVvytvnrWd+hH7DgXPuObdwVrPFmmhH7UR9nnpAhzo9z6mp010MAljkxuDzMp6wMOUqTwOWcOWNvtkz9Yv+D+1r4/3SKmQ3yg5JbrleDNw6ZKHYMwCWo+y4wL04SgVknsACZfPXRNmK/KpSoK3dcEy2eMclGjaxazcM6rLpizzh5aQ2H+DzUV3rkpzRcZzpR/ETeyRw+9ygIQlDqd5w5a0vUEsBAi0DLQAAAAgAAAAhAPCjx5vIAAAAAAEAAAoAAAAAAAAAAAAAAIABAAAAAGltYWdlcy5ucHlQSwECLQMtAAAACAAAACEAj4eoyskAAAAdAQAABQAAAAAAAAAAAAAAgAEEAQAAeS5ucHlQSwUGAAAAAAIAAgBrAAAABAIAAAAA
base64 -d >object_images.npz <<<UEsDBC0AAAAIAAAAIQAluBQs//////////8FABQAeC5ucHkBABAAmAEAAAAAAAAoAQAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loF7jr66joJ6WX1RSlJgXn1+UkgoSdkvMKU4FihdnJBakAvkaRjqaOgq1CpQArgaWqbyMDGDQI5ZXmltQqRefnF+UqpdbmlOSmVhUlFg5pYcnvig1OT+vuKSoNLlkyuQpPaxglVN62PNSIEomT/FmaJ3izJg0pX1K0BQNb0ZvptYpGcw9rCkllQWpIC1M/hZTOjsgssw9jDVT/Pz8vP4DAZjwti+ZktQZO0UjgymDFWRUBjvMIA5vjrYpGTw9TKWGCAMyBFC1M4C0OzswMDIxs7CysXNwcnHz8PLxCwgKCYuIiolLSEpJy8jKySsoKimrqKqpa2hqaevo6ukbGBoZm5iamVtYWlnb2NrZTwEa45cKJPQAUEsDBC0AAAAIAAAAIQB+avvJ//////////8FABQAeS5ucHkBABAAkAAAAAAAAABJAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TaaGuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GkY6mjoKtQoUAC4GKGCE0gBQSwECLQMtAAAACAAAACEAJbgULCgBAACYAQAABQAAAAAAAAAAAAAAgAEAAAAAeC5ucHlQSwECLQMtAAAACAAAACEAfmr7yUkAAACQAAAABQAAAAAAAAAAAAAAgAFfAQAAeS5ucHlQSwUGAAAAAAIAAgBmAAAA3wEAAAAA
for file in object_labels.npz object_images.npz; do try dcnn predict r/best.h5 $file 2>&1 | columns; done
# other sizes, numbers from 0 to 1, HDF5 by other hands: brought to what the model takes
cases=$DCNN_DATA/../tests/cases
cp "$cases"/{csv_float0_1.csv,npz_0_to_1.npz,h5_pcam_train_x.h5,h5_file_names.h5,csv_noheader.csv} .
chmod u+w csv_noheader.csv
cut -d, -f1-50 csv_noheader.csv >7x7.csv
for file in csv_float0_1.csv npz_0_to_1.npz h5_pcam_train_x.h5 h5_file_names.h5 7x7.csv; do
    echo "== $file"
    dcnn predict r/best.h5 $file 2>&1 | columns | head -n 4
done
try dcnn predict r/best.h5 7x7.csv --shape 8x8x1
# what standard input may be
try dcnn predict r/best.h5 - <npz_0_to_1.npz
try dcnn predict r/best.h5 - <7x7.csv
find folder -name 'o*.pgm' -print0 | dcnn predict r/best.h5 - | labels
(echo Path && cat list.txt) >headed.txt
dcnn predict r/best.h5 headed.txt 2>said | cmp - folder.csv && grep heading said
# a folder with a broken image, a link to another folder; nothing that can be read
mkdir torn && touch torn/empty.jpg && ln -s ../folder/b torn/link && ln -s torn leads
try dcnn predict r/best.h5 leads | columns
try dcnn predict r/best.h5 cut.pgm missing.pgm -o none.csv | sed 's/cut.pgm: .*/cut.pgm: REASON/'
test -e none.csv || echo "none.csv is not written"
# some images at a time: the same answers as all at once, on two ranks too
mkdir many && for i in $(seq 70); do grey $((8 + i % 3)) $((i * 3)) >many/$i.pgm; done
# decoded by any number of threads, with broken ones among them: the same answers and messages, in the same order
cp -r many torn-many && head -c 30 many/3.pgm >torn-many/3.pgm && : >torn-many/50.pgm
for threads in 1 2 7; do dcnn predict r/best.h5 torn-many --threads $threads >threads-$threads 2>&1 || echo "exit $?"; done
cmp threads-1 threads-2 && cmp threads-1 threads-7 && grep -c '^[0-9]*,torn-many' threads-1 && grep warning threads-1
dcnn predict r/best.h5 many small.csv -o whole.csv -q
grep -c , whole.csv
dcnn predict r/best.h5 many small.csv -q --cache-memory 1 | cmp - whole.csv
ranks 2 dcnn predict r/best.h5 many small.csv -q --cache-memory 1 | cmp - whole.csv
# ... with the streams apart: mpirun may put a line of one into the middle of a line of the other
mpirun -np 2 dcnn predict r/best.h5 many nowhere.csv small.csv small.h5 -q --cache-memory 1 --split test 2>said >partial.csv || echo "exit $?"
grep -v '^[0-9]*,[^,]*,[0-2],' partial.csv
grep '^dcnn: ' said
# a data set of another size, or inverted, with its ids; not with --no-resize
(head -n 1 small.csv | sed 's/^/id,/' && tail -n +2 small.csv | awk '{ print "n" NR "," $0 }') >named.csv
dcnn prepare named.csv -o named.h5 >/dev/null 2>&1
dcnn prepare named.csv -o large.h5 --size 16x16 >/dev/null 2>&1
try dcnn predict r/best.h5 large.h5 --split test 2>&1 | columns | head -n 5
dcnn predict r/best.h5 large.h5 --split train -q -o large.csv
ranks 2 dcnn predict r/best.h5 large.h5 --split train -q --cache-memory 1 | cmp - large.csv
try dcnn predict r/best.h5 large.h5 --split test --no-resize
dcnn predict r/best.h5 named.h5 --split test --invert -q | cut -d, -f3- >inverted
awk -F, -v OFS=, 'NR > 1 { for (i = 3; i <= NF; i++) $i = 255 - $i } 1' named.csv >negative.csv
dcnn predict r/best.h5 negative.csv -q | grep -F "$(dcnn predict r/best.h5 named.h5 --split test -q | cut -d, -f2 | sed 's/.*/,&,/; 1d')" | cut -d, -f3- | cmp - <(sed 1d inverted)
# the line in which a file is cut off
head -c 1000 ids.csv >cut.csv
try dcnn predict r/best.h5 cut.csv | columns
# images of kinds that are not read, among others
mkdir kinds && grey 8 90 >kinds/a.pgm && printf 'GIF89a' >kinds/b.gif && echo text >kinds/c.txt
try dcnn predict r/best.h5 kinds | columns
