small_data
csv 40 9 3 >nine.csv
csv 40 8 5 >five.csv
dcnn prepare nine.csv -o nine.h5 >/dev/null
dcnn prepare five.csv -o five.h5 >/dev/null
dcnn train small.h5 --model net.json --epochs 1 --run run -q >/dev/null
echo '{"class_name": 3' >broken.json
touch file
try dcnn train missing.h5
try dcnn train small.csv
try dcnn train small.h5 --model missing.json
try dcnn train small.h5 --model broken.json
try dcnn train nine.h5 --model net.json
try dcnn train five.h5 --model net.json
try dcnn train small.h5 --model small.h5
try dcnn train small.h5 --run file/run
try dcnn evaluate missing.h5
try dcnn evaluate small.h5
try dcnn evaluate run/best.h5 nine.h5
try dcnn evaluate run/best.h5 five.h5
try dcnn evaluate run/best.h5 missing.h5
try dcnn predict run/best.h5 nine.h5 --split test
try dcnn predict run/best.h5 nine.csv
try dcnn predict run/best.h5 nine.csv --shape 9x9x1
idx_images 2 9 >nine.idx
try dcnn predict run/best.h5 nine.idx
try dcnn predict run/best.h5 missing.csv
try ranks 2 dcnn predict run/best.h5 nine.csv
try ranks 2 dcnn train nine.h5 --model net.json
csv 3000 8 3 >many.csv
dcnn predict run/best.h5 small.csv -o kept.csv
cp kept.csv before.csv
(
    export PMIX_MCA_gds=hash # Open MPI's other way to start needs large files itself
    ulimit -f 20
    try dcnn predict run/best.h5 many.csv -o kept.csv
    try dcnn train small.h5 --model net.json --epochs 1 --run full -q
) | cat
ls full full/checkpoints
cmp kept.csv before.csv && echo untouched
find . -name '*.tmp'
try env OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=0 dcnn train small.h5
