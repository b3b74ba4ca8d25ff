# SPDX-License-Identifier: BSD-3-Clause
# env.sh — what differs from cluster to cluster. The job scripts read it; adapt it once. A variable that is set when the
# job is submitted wins.
# shellcheck shell=bash disable=SC2034

# The modules that dcnn was built with, as on this cluster:
# module load gcc openmpi openblas hdf5

# The program: a path that all nodes see, or a name that they find in their PATH.
dcnn=${DCNN:-dcnn}

# How ranks are started: mpirun (Open MPI's own), srun (needs Slurm's PMIx plugin: 'srun --mpi=list' shows it), or auto:
# mpirun where the job finds it, else srun. 'dcnn doctor', started the same way, says if it does not fit.
launcher=${DCNN_LAUNCHER:-auto}

# Data sets, runs and the program must lie where all nodes see the same files. Of a data set each node reads all images
# once at the start (or streams them: --cache-memory); of a run rank 0 alone writes, one checkpoint an epoch unless
# --checkpoint-every says otherwise. NFS, Lustre, GPFS and BeeGFS do; a node's own /tmp does not. HDF5's file locks,
# which some of these lack, are not used.

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
