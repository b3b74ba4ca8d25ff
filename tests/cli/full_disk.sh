small_data
dcnn train small.h5 --model net.json --epochs 1 --run run -q >/dev/null
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
