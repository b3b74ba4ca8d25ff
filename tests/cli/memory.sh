# Memory that is not there is refused before any is taken, on all ranks, with what is needed and what would help.
small_data
# numbers: of bytes, which differ from machine to machine.
numbers() { sed -E 's/[0-9]+\.[0-9] [KMG]iB/SIZE/g; s/ on [^ ,]+,/ on HOST,/; s/ on [^ ,]+ \(/ on HOST (/'; }
# limited KILOBYTES N COMMAND...: N ranks that may have so much address space each.
limited() {
    local kilobytes=$1 count=$2
    shift 2
    # shellcheck disable=SC2016
    ranks "$count" bash -c 'ulimit -v "$0"; exec "$@"' "$kilobytes" "$@"
}
cat >wide.json <<'END'
{"class_name": "Sequential", "config": {"name": "wide", "layers": [
  {"class_name": "InputLayer", "config": {"batch_shape": [null, 8, 8, 1]}},
  {"class_name": "Flatten", "config": {}},
  {"class_name": "Dense", "config": {"units": 200000, "activation": "relu"}},
  {"class_name": "Dense", "config": {"units": 3, "activation": "softmax"}}]}}
END
for count in 1 2; do
    try limited 1200000 "$count" dcnn train small.h5 --model wide.json --run "wide-$count" -q 2>&1 | numbers
done

# A rank that dies before there is a checkpoint: nothing is said of going on from one.
mpirun -np 2 dcnn train --run early --no-report -q >early.said 2>&1 &
launcher=$!
for _ in $(seq 400); do
    if [[ -e early/run.json ]]; then break; fi
    sleep 0.05
done
sleep 0.3
for process in $(pgrep -f 'dcnn train --run early '); do
    if [[ $(readlink "/proc/$process/cwd") == "$PWD" ]] && grep -qz '^OMPI_COMM_WORLD_RANK=1$' "/proc/$process/environ"; then
        kill -KILL "$process"
    fi
done
wait "$launcher" || echo "exit $?"
grep '^dcnn' early.said | sed -E 's/step [0-9]+/step N/; s/ on [^ ]+ has/ on HOST has/'
