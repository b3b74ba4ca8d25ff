# SPDX-License-Identifier: BSD-3-Clause
# Commands that a message gives to copy take names with blanks and quotes as a shell does.
small_data
how=(--model net.json --epochs 1 -q --no-report)
try dcnn slurm "my data.h5" --nodes 1 --time 10
try dcnn train "it's.h5" "${how[@]}"
try dcnn train small.h5 "${how[@]}" --run "my run" --batch-size 16 --stop-after 1 2>&1 | tail -n 2
try dcnn train "my run" "${how[@]}"

# a data set where a model is wanted, a run that is not reported, weights that are a whole model
cp small.h5 "my data.h5"
try dcnn evaluate "my data.h5" small.h5
dcnn train small.h5 "${how[@]}" --run first >/dev/null 2>&1
cp first/best.h5 "my model.h5"
try dcnn train small.h5 "${how[@]}" --weights "my model.h5" --run none
