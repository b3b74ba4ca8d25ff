# jobs/sweep.sbatch without Slurm: it is dcnn tune that is started and kept going, and a call without values is refused.
mkdir stubs
touch stubs/env.sh
cat >stubs/functions.sh <<'END'
fail() { echo "fail: $*" && exit 2; }
keep_going() { echo "keep going: $*" && "$dcnn" "$@" --quiet; }
dcnn=dcnn
END
export DCNN_JOBS=$PWD/stubs SLURM_SUBMIT_DIR=$PWD
small_data
bash "$DCNN_DATA/../jobs/sweep.sbatch" small.h5 seed=4,8 --model net.json --epochs 1 --run search | sed 's/ 0\.[0-9]* */ LOSS /'
cut -d, -f1,2,10 search/trials.csv
bash "$DCNN_DATA/../jobs/sweep.sbatch" small.h5 --epochs 1 || echo "exit $?"
