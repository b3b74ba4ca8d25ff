# SPDX-License-Identifier: BSD-3-Clause
# dcnn doctor on Slurm's nodes and on hosts: it measures between them, and names each fault that is made for it.
echo '#!/bin/bash' >job.sh
cat >>job.sh <<END
srun --mpi=pmix "$DCNN" doctor --json >good.json
srun --mpi=none "$DCNN" doctor >none.out 2>&1
mpirun -np 2 --map-by node --bind-to none "$DCNN" doctor >mpirun.out 2>&1
true
END
chmod +x job.sh
submit --nodes=2 --ntasks-per-node=1 job.sh
within 60 is_over
grep -q '"between_nodes": {' good.json
(($(grep -c '"host": "n[123]"' good.json) == 2))
grep -q 'launcher: srun started 2 tasks, but without the PMIx' none.out
grep -q 'mend: use .srun --mpi=pmix' none.out
grep -q '^network  between nodes: ' mpirun.out

# on_n4 COMMAND: two ranks on the host that is not Slurm's, in a mount space of their own.
on_n4() {
    local code=0
    # shellcheck disable=SC2016
    on n4 unshare -m bash -c 'mount -t tmpfs -o size="$0" tmpfs /dev/shm && "$@"' "$@" >n4.out 2>&1 || code=$?
    cat n4.out
    ((code == 1))
}
on_n4 64m mpirun -np 2 --oversubscribe "$DCNN" doctor
grep -q '/dev/shm has .* of 64.0 MiB left' n4.out
grep -q 'mend: make it larger' n4.out
on_n4 1g bash -c 'ulimit -v 600000; exec "$@"' - mpirun -np 2 --oversubscribe "$DCNN" doctor
grep -q 'ulimit -v leaves' n4.out
# A folder that only one host has: rank 0's own /dev/shm.
# Other cases cut these hosts' network meanwhile, so it is tried until it is there.
apart() {
    "$cluster/slurm" hosts run mpirun -np 2 -H n3:1,n4:1 --bind-to none "$DCNN" doctor --run /dev/shm/run >apart.out 2>&1 || true
    grep -q 'n4: it does not see what rank 0 writes to /dev/shm' apart.out
}
within 120 apart
