# SPDX-License-Identifier: BSD-3-Clause
# What doctor prints, and that it names each fault that can be made without another machine.
whole_stacks
# found: what is wrong; what is slow differs from machine to machine, and so does their number.
found() { sed -n '/^wrong\|^slow/,$p' | sed '/^slow/,/mend:/d' | sed -E 's/[0-9]+\.[0-9] [KMG]iB/SIZE/g; s/(Open MPI|MPICH) v?[0-9.]+/MPI/; s/^(wrong) +[^ ]+:/\1 HOST:/; s/^dcnn: [0-9]+ things? (is|are)/dcnn: N things are/'; }
dcnn doctor 2>/dev/null | sed -E 's/^([a-z]+) .*/\1/' | grep -E '^(ranks|node|folder)'
mpirun -np 2 dcnn doctor 2>/dev/null | grep -E '^(ranks|network)' | sed -E 's/: .*//'
dcnn doctor --json 2>/dev/null | grep -oE '^  "[a-z_]+"'
try dcnn doctor extra
# A folder that cannot be written to, srun without PMIx, another MPI's mpirun.
try dcnn doctor --run /proc/none | found
export SLURM_PROCID=0 SLURM_STEP_ID=0 SLURM_STEP_NUM_TASKS=2
try dcnn doctor | found
unset SLURM_PROCID SLURM_STEP_ID SLURM_STEP_NUM_TASKS
PMI_RANK=0 PMI_SIZE=3 try dcnn doctor | found
# Of two processes that MPI cannot bring together one speaks.
for rank in 0 1; do PMI_RANK=$rank PMI_SIZE=2 dcnn doctor >"said-$rank" 2>&1 || echo "process $rank: exit $?"; done
wc -l <said-1
# The folder of the run, however long its name, and whatever bytes it has.
long=$(printf 'd%.0s' {1..200})
mkdir -p "$long/$long/run" "$long/$(printf 'd%.0s' {1..54})" $'r\xffn'
dcnn doctor --run "$long/$long/run" 2>/dev/null | sed -n 's/^folder *\([^:]*\):.*/\1/p' | tr -d d
dcnn doctor --run $'r\xffn' --json 2>/dev/null | grep '"path"'
dcnn doctor --run "$(printf 'd/%.0s' {1..3000})" 2>&1 || echo "exit $?"
