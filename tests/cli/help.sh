# SPDX-License-Identifier: BSD-3-Clause
dcnn --help
for command in prepare train evaluate predict info slurm; do
    echo
    dcnn "$command" --help
    cmp <(dcnn "$command" -h) <(dcnn help "$command")
done
cmp <(dcnn help) <(dcnn -h)
