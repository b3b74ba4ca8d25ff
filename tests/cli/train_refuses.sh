# SPDX-License-Identifier: BSD-3-Clause
small_data
csv 40 9 3 >nine.csv
csv 40 8 5 >five.csv
dcnn prepare nine.csv -o nine.h5 >/dev/null
dcnn prepare five.csv -o five.h5 >/dev/null
echo '{"class_name": 3' >broken.json
touch file
try dcnn train missing.h5
try dcnn train small.csv
try dcnn train small.h5 --model missing.json
try dcnn train small.h5 --model broken.json
printf '\200\004K\001.' >weights.pkl
try dcnn train small.h5 --model weights.pkl
gzip -c small.csv >packed.csv.gz
try dcnn train packed.csv.gz
try dcnn train nine.h5 --model net.json
try dcnn train five.h5 --model net.json
try dcnn train small.h5 --model small.h5
try dcnn train small.h5 --run file/run
try ranks 2 dcnn train nine.h5 --model net.json
whole_stacks
try env OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=0 dcnn train small.h5
# a model with weights of its own; one unit for two classes; a run's folder for its model
dcnn train small.h5 --model net.json --epochs 1 --run done --no-report -q >/dev/null 2>&1
try dcnn train small.h5 --model done/best.h5 --weights done/best.h5
try dcnn train small.h5 --model net.json --weights done/best.h5
sed 's/"units": 3, "activation": "softmax"/"units": 1, "activation": "sigmoid"/' net.json >one.json
try dcnn train small.h5 --model one.json
sed '/Flatten/s/Flatten/GlobalAveragePooling2D/; /Dense/d; s/GlobalAveragePooling2D", "config": {}},/GlobalAveragePooling2D", "config": {}}]}}/' net.json >none.json
try dcnn train small.h5 --model none.json
try dcnn evaluate done
try dcnn train small.h5 --seed -1
try dcnn train small.h5 --then 'epochs=1 no-augment=1'
