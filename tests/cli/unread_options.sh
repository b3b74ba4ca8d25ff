# SPDX-License-Identifier: BSD-3-Clause
# An option of dcnn prepare that says nothing of the sources is refused, not left unread.
csv 30 6 2 >table.csv
mkdir -p folder/a folder/b
for i in 1 2 3 4; do
    for class in a b; do (printf 'P5\n6 6\n255\n' && head -c $((40 + i)) table.csv | tail -c 36) >folder/$class/$i.pgm; done
done
printf '%s\n' 'path,label' folder/{a,b}/{1,2,3,4}.pgm | sed -E '2,$s,.*/(.)/.*,&\,\1,' >list.csv
idx_images 20 6 >images.idx
idx_labels 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 >labels.idx
npy 720 20,36 >x.npy
(npy 10 20, && printf '\1\1\1\1\1\1\1\1\1\1') >y.npy
dcnn prepare table.csv -o data.h5 -q

# every kind with every option: "+" it is read, else what is said
for source in folder list.csv table.csv "images.idx labels.idx" "x.npy y.npy" data.h5; do
    for option in "--label-column label" "--target-columns all" "--shape 6x6" "--scale 1" --transpose; do
        # shellcheck disable=SC2086 # words
        said=$(dcnn prepare $source $option -o out.h5 --force -q 2>&1) && said=+
        echo "$source $option: $said"
    done
done
try dcnn prepare folder --fit crop --force -o out.h5
try dcnn prepare folder --size 4x4 --fit crop --force -o out.h5 -q
try dcnn prepare folder table.csv --label-column label --force -o out.h5 -q # one of them reads it
