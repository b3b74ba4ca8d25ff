# env.sh — what differs from cluster to cluster. The job scripts read it; adapt it once. A variable that is set when the
# job is submitted wins.
# shellcheck shell=bash disable=SC2034

# The modules that dcnn was built with, as on this cluster:
# module load gcc openmpi openblas hdf5

# The program: a path that all nodes see, or a name that they find in their PATH.
dcnn=${DCNN:-dcnn}

# How ranks are started: mpirun (Open MPI's own), or srun (needs Slurm's PMIx plugin: 'srun --mpi=list' shows it).
launcher=${DCNN_LAUNCHER:-mpirun}

# Each rank stays on cores of its own: core; or none, where the cores are shared or Slurm does it already.
binding=${DCNN_BINDING:-core}

# Nodes of different kinds must compute alike, for the same bits: the oldest kind's instruction set and OpenBLAS core.
# export DCNN_ISA=avx2 OPENBLAS_CORETYPE=Haswell

# One thread a core: dcnn shares out its own work.
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1

# mpirun itself notices a host that is gone after 90 s instead of 8 minutes; dcnn's watchdog (--timeout) comes first.
export OMPI_MCA_oob_tcp_keepalive_time=${OMPI_MCA_oob_tcp_keepalive_time:-60}
export OMPI_MCA_oob_tcp_keepalive_intvl=${OMPI_MCA_oob_tcp_keepalive_intvl:-5}
export OMPI_MCA_oob_tcp_keepalive_probes=${OMPI_MCA_oob_tcp_keepalive_probes:-6}
