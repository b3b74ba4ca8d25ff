# SPDX-License-Identifier: BSD-3-Clause
# What asks for a job, what refuses one, and what ends a run that shares its folder or its time.
small_data
try dcnn slurm --nodes 2
try dcnn slurm --nodes 2-1 --time 10
try dcnn slurm --nodes 2 --time 1:2:3:4
try dcnn slurm --nodes 2 --time 10 --overwrite
try dcnn slurm --nodes 2 --time 10 absent.h5
try dcnn slurm --nodes 2 --time 10 --epochs 0
dcnn slurm small.h5 --nodes 1-4 --time 1:30:00 --partition long --account me --threads 2 --ranks-per-node 8 \
    --learning-rate 5e-4 --no-augment --run "a run's" --launcher srun >job.sh
grep '^#SBATCH' job.sh
grep -c "DCNN_LAUNCHER:-srun" job.sh
dcnn slurm small.h5 --nodes 1 --time 10 --mem 8G --constraint 'a&b' --mail me@here -- --qos=long --array=0-3 '--comment=two words' |
    grep -E '^#SBATCH --(mem|con|mail|qos|arr|com)|^train'
dcnn slurm --nodes 1 --time 10 -- --qos=long | grep -E '^#SBATCH --qos|^train|DCNN_LAUNCHER:-'
dcnn slurm --nodes 1 --time 10 -- --output=mine.out --signal=B:USR1@600 | grep -E '^#SBATCH --(output|signal)' # the last counts
try dcnn slurm small.h5 --nodes 1 --time 10 other.h5
tail -n 1 job.sh
bash job.sh 2>&1 | sed 's/.*job none/job none/'

# The job's time is nearly over: saved in time, and a quarter of it is used at least.
SLURM_JOB_END_TIME=$(($(date +%s) + 8)) timeout 100 dcnn train small.h5 --model net.json --epochs 1000000 --threads 1 --run time -q 2>&1 |
    sed -E 's/step [0-9]+/step N/'

# A second training in the same folder is refused, and one whose process is gone is taken over.
dcnn train small.h5 --model net.json --epochs 1000000 --threads 1 --run shared -q 2>first &
first=$!
until [[ -s shared/run.lock && -n $(ls shared/checkpoints 2>/dev/null) ]]; do sleep 0.05; done
dcnn train small.h5 --model net.json --run shared --resume 2>&1 |
    sed -E "s/process $first on [^ ]*, since [-0-9: ]*:/process FIRST on HOST, since TIME:/"
{ kill -KILL "$first" && wait "$first"; } 2>/dev/null || true
dcnn train small.h5 --model net.json --run shared --resume --stop-after 1 -q 2>&1 |
    sed -E "s/process $first on [^ ]*, since [-0-9: ]*,/process FIRST on HOST, since TIME,/; s/step [0-9]+/step N/"
find shared -name 'run.lock*'

# More ranks than cores are refused, unless that was asked for.
beyond() {
    env -u OMPI_MCA_rmaps_base_oversubscribe taskset -c "$(taskset -cp $$ | sed 's/.*[ ,-]//')" \
        mpirun -np 2 -H localhost:2 "$@" dcnn train small.h5 -q --run beyond --model net.json --epochs 1 --no-report 2>&1
}
beyond | grep '^dcnn' | sed -E 's/ on [^ ,]*,/ on HOST,/'
beyond -x DCNN_OVERSUBSCRIBE=1 | grep -c '^weights hash'
