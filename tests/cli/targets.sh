# Numbers to predict instead of classes: where they come from, and what is no such thing.

# blobs N: a table of images 8x8 with a light dot at (row, column), and what that means.
blobs() {
    awk -v n="$1" 'BEGIN {
        printf "row,column,low,right"
        for (i = 0; i < 64; i++) printf ",pixel%d", i
        print ""
        for (k = 0; k < n; k++) {
            r = k * 5 % 7; c = k * 3 % 7
            printf "%.3f,%.3f,%d,%d", r / 7, c / 7, (r > 3), (c > 3)
            for (i = 0; i < 64; i++) {
                y = int(i / 8); x = i % 8
                dot = (y == r || y == r + 1) && (x == c || x == c + 1)
                printf ",%d", dot ? 255 : (i * 7 + k) % 23
            }
            print ""
        }
    }'
}
# npy NAME DESCR SHAPE: an array of the bytes on standard input.
npy() {
    local header="{'descr': '$2', 'fortran_order': False, 'shape': $3, }"
    printf -v header '%-117s' "$header"
    { printf '\x93NUMPY\x01\x00\x76\x00%s\n' "$header" && cat; } >"$1"
}
blobs 84 >blobs.csv
echo 'numbers of a table:'
dcnn prepare blobs.csv --target-columns row,column -o where.h5
echo 'labels of 0 and 1:'
dcnn prepare blobs.csv --target-columns low,right -o marks.h5
dcnn info marks.h5 | grep -A2 'to predict'
echo 'an array of fractions:'
head -c 256 /dev/zero | tr '\0' '\5' | npy x_train.npy '|u1' '(4, 8, 8)'
printf '\0\0\0?\0\0\200?\0\0\0@\0\0\0\300' | npy y_train.npy '<f4' '(4, 1)'
dcnn prepare x_train.npy y_train.npy --test-split 0 --validation-split 0 -o halves.h5
printf '\1\2\3\4' | npy y_train.npy '|u1' '(4,)'
dcnn prepare x_train.npy y_train.npy --target-columns 1 --test-split 0 --validation-split 0 -o ages.h5
echo 'what is none:'
try dcnn prepare blobs.csv --target-columns row,height -o no.h5 -q
try dcnn prepare blobs.csv --target-columns row,row -o no.h5 -q
try dcnn prepare blobs.csv --target-columns row --label-column low -o no.h5 -q
try dcnn prepare blobs.csv --target-columns row --stratify -o no.h5 -q
try dcnn prepare x_train.npy y_train.npy --target-columns 2 -o no.h5 -q
sed '5s/^[^,]*/none/' blobs.csv >odd.csv
try dcnn prepare odd.csv --target-columns row -o no.h5 -q
