# SPDX-License-Identifier: BSD-3-Clause
# 2 to 8 hosts of one and of two ranks, and hosts of different sizes: one rank of each is killed in the middle, the run goes
# on, and ends with the weights of one process.
export HOSTS_DIR=$PWD/shapes
trap '"$cluster/hosts" down; if [[ -z $complete ]]; then echo "not so: $BASH_COMMAND"; tail -n 20 ./*.said; fi' EXIT
"$cluster/hosts" up 8
training+=(--grain 4 --epochs 100000 --timeout 10) # 16 pieces of work

# shape RANKS...: of n1, n2, …
shape() {
    local name="shape-${*// /}" where='' host=0 ranks all=0 launcher code=0
    name=${name// /-}
    for ranks in "$@"; do
        host=$((host + 1))
        all=$((all + ranks))
        where+=${where:+,}n$host:$ranks
    done
    local start=("$cluster/hosts" run mpirun -np "$all" -H "$where" --bind-to none -x DCNN_OVERSUBSCRIBE -x DCNN_EVERY_RANK=1
        "$DCNN" train "${training[@]}" --run "$name")
    "${start[@]}" >"$name.said" 2>&1 &
    launcher=$!
    within 60 past "$name" 10
    "$cluster/hosts" on "n$host" pkill -KILL -f "^[^ ]*dcnn train .*--run $name" # all ranks of the last host
    wait "$launcher" || code=$?
    ((code != 0))
    grep -q 'has died' "$name.said"
    "${start[@]}" --resume --stop-after 7 >>"$name.said" 2>&1 || (($? == 75))
    same_as_undisturbed "$name"
}

for hosts in 2 3 4 5 6 7 8; do
    for ranks in 1 2; do
        mapfile -t all < <(for ((i = 0; i < hosts; i++)); do echo "$ranks"; done)
        shape "${all[@]}"
    done
done
shape 2 2 1
shape 3 3 2
shape 1 3 2 1
