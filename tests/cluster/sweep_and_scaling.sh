# SPDX-License-Identifier: BSD-3-Clause
# An array of trainings with one CSV, and a measured table with its plot.
submit --nodes=1 --exclude=n3 --ntasks-per-node=1 --array=0-2 "$DCNN_JOBS/sweep.sbatch" seed 7,8,9 "${training[@]}" --epochs 2
sweep=$job
submit --nodes=2 --exclude=n3 --ntasks-per-node=1 "$DCNN_JOBS/scaling.sbatch" data.h5 --model net.json --seconds 0.5
scaling=$job
job=$sweep
within 60 is_over
cat "runs/sweep-$sweep/sweep.csv"
[[ $(cut -d, -f1 "runs/sweep-$sweep/sweep.csv" | paste -sd' ') == "seed 7 8 9" ]]
"$DCNN" train "${training[@]}" --epochs 2 --seed 8 --run alone >/dev/null 2>&1
[[ $(tail -n 1 alone/metrics.csv) == "$(sed -n 's/^8,//p' "runs/sweep-$sweep/sweep.csv")" ]]

job=$scaling
within 60 is_over
cat "job-$job.out"
[[ $(cut -d, -f1,2 "scaling-$job.csv" | paste -sd' ') == "nodes,ranks 1,1 2,2" ]]
python3 -c 'import sys, xml.dom.minidom as x; x.parse(sys.argv[1])' "scaling-$job.svg" || [[ ! -x $(command -v python3) ]]
