# SPDX-License-Identifier: BSD-3-Clause
# A folder of pictures is not taken for a run's folder; what may lie in one is no obstacle.
small_data
how=(--model net.json --epochs 1 -q --no-report)
mkdir -p small/a small/b deep/train/a flat
for i in 1 2; do printf 'P5\n2 2\n255\n....' | tee small/a/$i.pgm small/b/$i.pgm >deep/train/a/$i.pgm; done
cp small/a/1.pgm flat
tried() { try "$@" | sed -E 's/\((small|deep).*pgm\)/(\1\/...)/'; } # which is the first depends on the file system
for folder in small flat; do tried dcnn train small.h5 "${how[@]}" --run $folder --overwrite; done
tried dcnn train small.h5 "${how[@]}" --run deep
tried dcnn train small.h5 "${how[@]}" --run deep --resume
tried dcnn tune small.h5 learning-rate=1e-3,1e-2 --model net.json --epochs 1 --run small
find small flat deep | sort

# a job's folder, with its data set, what a failed start left, hidden pictures, logs in a folder
mkdir -p job/checkpoints job/figures job/logs job/.thumbs
cp small.h5 job
touch job/slurm-1.out job/job.sbatch job/figures/loss.png job/.thumbs/a.png job/logs/1.txt job/checkpoints/step-1.h5.bad
try dcnn train job/small.h5 "${how[@]}" --run job | tail -n 1
# a run is one, whatever was put into it since
cp small/a/1.pgm job
try dcnn train --run job --resume -q --no-report 2>&1 | tail -n 2
# beside pictures that are in no split of this folder a run stands in nobody's way
mkdir -p beside/pictures/{a,b}
for class in a b; do cp small/a/1.pgm beside/pictures/$class; done
try dcnn train small.h5 "${how[@]}" --run beside | tail -n 1
