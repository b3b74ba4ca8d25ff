# SPDX-License-Identifier: BSD-3-Clause
# Commands that a message gives to copy take names with blanks and quotes as a shell does.
small_data
how=(--model net.json --epochs 1 -q --no-report)
try dcnn slurm "my data.h5" --nodes 1 --time 10
try dcnn train "it's.h5" "${how[@]}"
try dcnn train small.h5 "${how[@]}" --run "my run" --batch-size 16 --stop-after 1 2>&1 | tail -n 2
try dcnn train "my run" "${how[@]}"
