# SPDX-License-Identifier: BSD-3-Clause
dcnn --version
cmp <(dcnn --version) <(dcnn -V)
cmp <(dcnn --version) <(mpirun -np 2 dcnn --version)
