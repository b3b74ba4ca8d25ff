# SPDX-License-Identifier: BSD-3-Clause
touch empty.csv empty.idx
idx_images 4 3 >images
idx_labels 0 1 1 0 >labels
idx_labels 0 1 1 >three-labels
head -c 30 images >cut-images
head -c 10 labels >cut-labels
(cat images && bytes 00) >longer-images
(bytes 00 00 08 02 && tail -c +5 images) >wrong-magic
bytes 1f 8b 08 00 01 02 >broken.gz
gzip -c images | head -c 25 >cut-images.gz
csv 20 3 2 >good.csv
sed '4s/,[0-9]*,/,x7,/' good.csv >letter.csv
sed '5s/,[0-9]*$/,256/' good.csv >large.csv
sed '6s/,[0-9]*$//' good.csv >short.csv
sed '7s/$/,1/' good.csv >long.csv
sed '3s/^[0-9]*/1.5/' good.csv >real-label.csv
cut -d, -f2- good.csv >unlabelled.csv
cut -d, -f1-9 good.csv >not-square.csv
mkdir folder

for source in missing.csv missing-folder/x empty.csv letter.csv large.csv short.csv long.csv \
    real-label.csv unlabelled.csv not-square.csv folder images; do
    try dcnn prepare "$source" -o out.h5
done
try dcnn prepare good.csv --shape 3x2 -o out.h5
try dcnn prepare good.csv images -o out.h5
for pair in "empty.idx labels" "cut-images labels" "longer-images labels" "wrong-magic labels" "broken.gz labels" \
    "cut-images.gz labels" "images cut-labels" "images three-labels"; do
    # shellcheck disable=SC2086 # two words
    try dcnn prepare $pair -o out.h5
done
try dcnn prepare good.csv --test-split 0.999 -o out.h5
try dcnn prepare good.csv --limit 1 -o out.h5
try dcnn prepare good.csv
ls
# lines that are cut, pixels that are missing, what is no table at all
csv 20 3 2 >whole.csv
head -c -12 whole.csv >cut.csv
sed '4s/,[0-9]*,/,,/' whole.csv >hole.csv
printf 'To whom it may concern,\nthis is 1 letter.\n' >letter.txt
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n' >pointer.csv
printf '<!DOCTYPE html>\n<title>404</title>\n' >page.csv
iconv -f UTF-8 -t UTF-16 whole.csv >wide.csv
for i in 5 8 12; do sed "${i}s/,[0-9]*//2" whole.csv; done | head -n 30 >short.csv # a line of it has a cell too few
for source in hole.csv short.csv letter.txt pointer.csv page.csv wide.csv; do try dcnn prepare $source -o out.h5; done
# a separator at each line's end; a table without header that is sorted by class
# a file that is cut off loses that line, and says so, -q or not; other lines are left out when that is asked for
try dcnn prepare cut.csv -o cut.h5
try dcnn prepare cut.csv -o cut.h5 --force -q
head -c -20 whole.csv | tail -c +1 | head -n 2 >only.csv && truncate -s -6 only.csv
try dcnn prepare only.csv -o only.h5
(cat hole.csv && echo 1,2,3 && sed '1d; s/^./x/' whole.csv | head -n 1 | sed 's/,[0-9]*/,many/') >rough.csv
try dcnn prepare rough.csv -o rough.h5 --skip-broken
sed '2,$s/$/,/' whole.csv >ends.csv
try dcnn prepare ends.csv -o ends.h5
csv 4000 6 5 | awk -F, -v OFS=, 'NR > 1 { $37 = 0; print $0, $1 }' | cut -d, -f2- | sort -s -t, -k37,37n | awk -F, -v OFS=, '{ $1 = 0 } 1' >sorted.csv
try dcnn prepare sorted.csv -o sorted.h5 2>&1 | head -n 3
# lines and names out of all proportion; as many classes as images, numbers but for one
(yes 0, | head -n 9000000 | tr -d '\n' && echo) >wide.csv
try dcnn prepare wide.csv -o wide.h5
(echo path,label && for i in 1 2; do head -c 5000 /dev/zero | tr '\0' a && echo .png,$i; done) >names.csv
try dcnn prepare names.csv -o names.h5
(echo label,a1,a2,a3,a4 && seq 60000 | sed 's/$/,1,2,3,4/' && echo z,1,2,3,4) >classes.csv
try timeout 60 dcnn prepare classes.csv -o classes.h5 --no-stratify 2>&1 | tail -n 2
mkdir -p many/a many/b
for i in $(seq 101); do printf '\0\0\10\1\0\0\0\0' | tee "many/a/set$i-labels" >"many/b/set$i-labels"; done
try dcnn prepare many -o many.h5
