# A search that is told to stop is started again, and its trials go on from their checkpoints.
submit --nodes=1 --exclude=n3 --ntasks-per-node=2 "$DCNN_JOBS/sweep.sbatch" seed=1,2 "${training[@]}" --epochs 100000
within 30 past "runs/job-$job/trial-001" 10
within 30 past "runs/job-$job/trial-002" 10
slurm scancel --signal=USR1 --batch "$job"
within 20 said 'saved: the same call'
within 30 said 'start 1 on .*, run .*, from'
goes_on "runs/job-$job/trial-001"
goes_on "runs/job-$job/trial-002"
slurm scancel "$job"
within 20 is_over
cat "job-$job.out"
