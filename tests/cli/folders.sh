# SPDX-License-Identifier: BSD-3-Clause
# Class folders, lists, given splits, odd images.
formats=$DCNN_DATA/../tests/cases/formats
prepare() {
    echo "== $*"
    dcnn prepare "$@" -o out.h5 --force 2>&1 || echo "exit $?"
}

# image FILE SHADE [SIDE]: a grey square.
image() {
    mkdir -p "$(dirname "$1")"
    { echo "P2 ${3-6} ${3-6} 255" && yes "$2" | head -n $((${3-6} * ${3-6})); } >"$1"
}

echo "-- one image in every format, as a class each: one shape"
for name in rgb.png interlaced.png rgb.bmp rgb.ppm ascii.ppm palette.png colour.jpg turned_6.jpg cmyk.jpg; do
    mkdir -p "all/$name" && cp "$formats/$name" "all/$name"
done
prepare all --test-split 0 --validation-split 0
echo "-- nested, beside other files, non-ASCII, a folder without images, a loop"
for class in cat Ünï; do
    for i in 1 2 3 4; do image "photos/set/$class/2024/$i/a.pgm" $((i * 50)); done
done
mkdir photos/set/empty && echo notes >photos/set/README.txt && echo more >photos/set/cat/notes.txt
printf GIF89a >photos/set/cat/b.gif
ln -s ../.. photos/set/cat/loop
ln -s . photos/set/mirror
prepare photos
dcnn info out.h5 | grep classes
echo "-- splits by folders"
for i in 1 2 3; do
    for class in a b; do
        image "split/train/$class/$i.pgm" $((i * 60))
        image "split/val/$class/$i.pgm" $((i * 61))
        image "split/test/$class/$i.pgm" $((i * 62))
    done
done
mkdir split/misc
prepare split
echo "-- broken, 0 bytes, wrongly named"
for i in 1 2 3 4 5 6; do for class in a b; do image "broken/$class/$i.pgm" $((i * 40)); done; done
head -c 60 "$formats/grey.png" >broken/a/cut.png
touch broken/a/empty.jpg
echo text >broken/b/text.png
cp broken/b/1.pgm broken/b/fine.jpg
prepare broken
prepare broken --skip-broken --size 6x6
echo "-- sizes and colours that differ"
for i in 1 2 3; do
    image "sizes/a/$i.pgm" $((i * 70))
    image "sizes/b/$i.pgm" $((i * 70)) 9
done
cp "$formats/rgb.png" sizes/b
prepare sizes
prepare sizes --size 4x4
prepare sizes --size 4x4 --gray --fit pad --background white
prepare sizes --size 4x4x3
echo "-- one class, flat, a class of one image, a thousand classes"
for i in 1 2 3; do image "one/only/$i.pgm" $((i * 70)); done
prepare one
prepare one/only
for i in 1 2 3 4 5 6 7; do image "few/many/$i.pgm" $((i * 30)); done
image few/one/1.pgm 255
prepare few
mkdir thousand
for i in $(seq 1000); do mkdir "thousand/$i" && printf 'P2 2 1 255 %d %d' $((i / 4)) $((i % 4)) >"thousand/$i/x.pgm"; done
prepare thousand --test-split 0 --validation-split 0
echo "-- too deep to be meant"
deep=deep/a$(printf '/x%.0s' $(seq 40))
image "$deep/1.pgm" 10
image deep/b/1.pgm 20
prepare deep | sed -E 's|(/x)+|/x...|'
echo "-- a pipe among images is passed over; test images without classes are for predict"
for i in 1 2 3 4 5 6; do for class in a b; do image "rival/train/$class/$i.pgm" $((i * 40)); done; done
mkdir rival/test && cp rival/train/a/[12].pgm rival/test
mkfifo rival/train/a/pipe.png
prepare rival
echo "-- IDX files two levels down, packed ones beside them; two sets in one folder"
raw=root/MNIST/raw
mkdir -p $raw other/fashion
idx_images 9 3 >$raw/train-images-idx3-ubyte
idx_labels 0 1 1 0 1 0 1 1 0 >$raw/train-labels-idx1-ubyte
gzip -k $raw/*
prepare root
cp -r $raw other/digits
cp $raw/train-labels-idx1-ubyte other/fashion
(head -c 16 $raw/train-images-idx3-ubyte && yes | head -c 81) >other/fashion/train-images-idx3-ubyte
prepare other
echo "-- lists"
(echo path,label && for i in 1 2 3 4; do echo "broken/a/$i.pgm,left" && echo "broken/b/$i.pgm,right"; done) >list.csv
prepare list.csv
sed 's/,/\t/; 1d' list.csv >list.tsv
prepare list.tsv
dcnn show out.h5 | tail -n 1
echo "broken/a/nowhere.pgm,left" >>list.csv
prepare list.csv
echo "-- given splits, pooled tables"
csv 40 4 3 >train.csv
csv 10 4 3 >test.csv
prepare train.csv test.csv
prepare train.csv --test test.csv
prepare train.csv --test test.csv --validation test.csv
prepare train.csv --test test.csv --test-split 0.2
(head -n 1 train.csv && sed '2,$s/^[0-9]*/9/' train.csv | tail -n 3) >strange.csv
prepare train.csv --test strange.csv
echo "-- a limit of a table that is sorted by class"
(head -n 1 train.csv && tail -n +2 train.csv | sort -n) >sorted.csv
prepare sorted.csv --limit 12
prepare train.csv --limit 12
echo "-- repeated, of one colour"
(cat train.csv && tail -n 5 train.csv && echo "0,$(yes 7 | head -n 16 | paste -sd,)" && echo "1,$(yes 7 | head -n 16 | paste -sd,)") >odd.csv
prepare odd.csv
echo "-- all pixels in one cell, with a split of its own (FER2013)"
(echo emotion,pixels,Usage
 for i in 1 2 3 4 5 6; do
     for use in Training PublicTest PrivateTest; do echo "$((i % 2)),$i $i 2 $((i * 9)),$use"; done
 done) >fer.csv
prepare fer.csv
echo "-- quotes in quotes, decimal commas"
(echo 'label;p0;p1;p2;p3' && for i in 1 2 3; do echo '"the ""big"" one";0,5;1;0;0,25' && echo 'small;0;0,125;1;1'; done) >comma.csv
prepare comma.csv
prepare comma.csv --scale 255
dcnn info out.h5 | grep classes
echo "-- lists from Windows, and from the web"
(printf 'path,label\r\n' && for i in 1 2 3 4; do printf 'broken\\a\\%d.pgm,left\r\nbroken\\b\\%d.pgm,right\r\n' $i $i; done) >windows.csv
prepare windows.csv
printf 'url,label\nhttps://example.org/a.jpg,a\nhttps://example.org/b.jpg,b\n' >web.csv
prepare web.csv
