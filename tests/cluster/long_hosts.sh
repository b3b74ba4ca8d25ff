# SPDX-License-Identifier: BSD-3-Clause
# Without Slurm: mpirun over two hosts. kill -9, a stopped rank and a cut link end it in time, each with its line.
launch() { # RUN ARGUMENTS...: on the head, which has rank 0
    local run=$1
    shift
    "$cluster/slurm" hosts run mpirun -np 2 -H head:1,n4:1 --bind-to none -x DCNN_OVERSUBSCRIBE \
        "$DCNN" train "${training[@]}" --epochs 100000 --run "$run" --timeout 6 "$@" >"$run.out" 2>&1 &
    launcher=$!
    within 20 past "$run" 10
    began=$SECONDS
}
# ends RUN CODE PATTERN
ends() {
    local code=0
    wait "$launcher" || code=$?
    echo "$1: exit $code after $((SECONDS - began)) s"
    ((code == $2 && SECONDS - began <= 11)) # mpirun takes a few seconds more to end the others
    (($(grep -cE "^dcnn: $3 \(last step [0-9]+\): the run ends here" "$1.out") == 1))
}

launch hostkill
on n4 kill -KILL "$(rank_on n4 hostkill)"
ends hostkill 137 'rank 1 on n4 has died'
launch hoststop
on n4 kill -STOP "$(rank_on n4 hoststop)"
ends hoststop 75 'rank 1 on n4 has given no sign of life for [45] s, though its host answers: the process is stuck'
launch hostcut
"$cluster/slurm" hosts cut n4
ends hostcut 137 'rank 1 on n4 has given no sign of life for [45] s, nor does its host answer: .*'
"$cluster/slurm" hosts heal n4

