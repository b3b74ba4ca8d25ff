# SPDX-License-Identifier: BSD-3-Clause
# All ranks decode what one prepares: the same bytes as by one process, also of what is broken; tables are one rank's.
formats=$DCNN_DATA/../tests/cases/formats
for class in a b c; do
    mkdir -p "images/$class"
    for name in rgb.png interlaced.png rgb.bmp colour.jpg turned_6.jpg cmyk.jpg palette.png; do cp "$formats/$name" "images/$class"; done
    for i in $(seq 50); do printf 'P2 6 6 255 %s' "$(yes "$((i * ${#class} + 40)) $i" | head -n 18 | paste -sd' ')" >"images/$class/$i.pgm"; done
done
shape=(--size 7x5 --fit pad --background '#102030')
dcnn prepare images "${shape[@]}" -o one.h5 2>&1 | tail -n 1
for count in 2 3 5; do ranks $count dcnn prepare images "${shape[@]}" -o "$count.h5" >said 2>&1 && cmp one.h5 "$count.h5" && tail -n 1 said; done
head -c 300 "$formats/colour.jpg" >images/b/cut.jpg
try ranks 3 dcnn prepare images "${shape[@]}" -o broken.h5 | grep '^dcnn\|exit'
dcnn prepare images "${shape[@]}" --skip-broken -o one.h5 --force >one.said 2>&1
ranks 3 dcnn prepare images "${shape[@]}" --skip-broken -o one3.h5 >three.said 2>&1
cmp one.h5 one3.h5 && cmp <(head -n -1 one.said) <(head -n -1 three.said) && grep broken one.said
csv 40 4 3 >table.csv
dcnn prepare table.csv -o one.h5 --force >/dev/null
ranks 2 dcnn prepare table.csv -o two.h5 >/dev/null && cmp one.h5 two.h5 && echo "the same table"
try ranks 2 dcnn prepare nowhere -o no.h5
try ranks 2 dcnn prepare images
