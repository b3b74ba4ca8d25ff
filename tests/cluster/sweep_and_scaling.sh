# A search with its table, CSV and figure, and a measured table with its plot.
submit --nodes=1 --exclude=n3 --ntasks-per-node=2 "$DCNN_JOBS/sweep.sbatch" seed=7,8,9 "${training[@]}" --epochs 2
sweep=$job
submit --nodes=2 --exclude=n3 --ntasks-per-node=1 "$DCNN_JOBS/scaling.sbatch" data.h5 --model net.json --seconds 0.5
scaling=$job
job=$sweep
within 60 is_over
cat "job-$sweep.out"
[[ $(sed 1d "runs/job-$sweep/trials.csv" | cut -d, -f10 | sort | paste -sd' ') == "7 8 9" ]]
"$DCNN" train "${training[@]}" --epochs 2 --seed 8 --run alone >/dev/null 2>&1
cmp alone/metrics.csv "runs/job-$sweep/trial-002/metrics.csv"

job=$scaling
within 60 is_over
cat "job-$job.out"
[[ $(cut -d, -f1,2 "scaling-$job.csv" | paste -sd' ') == "nodes,ranks 1,1 2,2" ]]
python3 -c 'import sys, xml.dom.minidom as x; x.parse(sys.argv[1])' "scaling-$job.svg" || [[ ! -x $(command -v python3) ]]
