# SPDX-License-Identifier: BSD-3-Clause
small_data
touch empty.h5
head -c 5000 small.h5 >cut.h5
cp small.h5 flipped.h5
printf '\377\376\375' | dd of=flipped.h5 bs=1 seek=4000 conv=notrunc status=none
echo 'hello' >text.h5
echo '{"class_name": "Sequential", "config": {"layers": [' >cut.json
echo '{"class_name": "Functional", "config": {}}' >functional.json
net 8 3 | sed 's/MaxPooling2D/FancyPooling2D/' >fancy.json
net 2 3 >too-small.json
{ bytes 50 4b 03 04; head -c 22 /dev/zero; bytes 0c 00 00 00; printf net/data.pkl; } >net.pt # as torch.save() begins it
for file in missing.h5 empty.h5 cut.h5 flipped.h5 text.h5 cut.json functional.json fancy.json too-small.json small.csv net.pt .; do
    try dcnn info "$file"
done
