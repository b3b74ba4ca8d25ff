# SPDX-License-Identifier: BSD-3-Clause
# helpers.sh CASE.sh: what cases use, then the case itself.

# try COMMAND...: shows a command, what it says on both streams, and its exit code.
try() {
    echo "\$ $*"
    local code=0
    "$@" 2>&1 || code=$?
    echo "exit $code"
}

# whole_stacks: from here on, where MPI starts without mpirun: what it never frees is known by them (tests/lsan.supp).
whole_stacks() { export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}fast_unwind_on_malloc=0"; }

# ranks N COMMAND...: the same by mpirun, without what mpirun itself has to say about failures.
ranks() {
    local count=$1 code=0
    shift
    mpirun -np "$count" "$@" >ranks.said 2>&1 || code=$?
    sed -E '/^-{20,}$/,/^-{20,}$/d' ranks.said
    return "$code"
}

# until_step FOLDER: waits until a run has saved its first steps.
until_step() {
    local tries
    for tries in $(seq 600); do
        if compgen -G "$1/checkpoints/step-*.h5" >/dev/null; then return 0; fi
        sleep 0.05
    done
    echo "no checkpoint after $tries tries"
}

# csv ROWS SIDE CLASSES: labelled images that a net can learn, as Kaggle has them.
csv() {
    awk -v rows="$1" -v side="$2" -v classes="$3" 'BEGIN {
        printf "label"
        for (j = 0; j < side * side; j++) printf ",pixel%d", j
        print ""
        for (i = 0; i < rows; i++) {
            label = (i * 7 + int(i / 5)) % classes
            printf "%d", label
            for (j = 0; j < side * side; j++) printf ",%d", (label * 80 + (i * 31 + j * 17) % 60 + (j % classes == label) * 60) % 256
            print ""
        }
    }'
}

# shapes COUNT: labelled colour images 32x32 of a disc, a frame or a cross; of any colour, anywhere, on any ground.
shapes() {
    awk -v count="$1" 'BEGIN {
        srand(7)
        printf "label"
        for (j = 0; j < 32 * 32 * 3; j++) printf ",pixel%d", j
        print ""
        for (n = 0; n < count; n++) {
            label = n % 3
            split("", ink); split("", ground)
            for (c = 0; c < 3; c++) { ground[c] = rand() * 255; ink[c] = (ground[c] + 90 + rand() * 75) % 255 }
            top = 13 + rand() * 5; left = 13 + rand() * 5; size = 8 + rand() * 4
            printf "%d", label
            for (i = 0; i < 32; i++) for (j = 0; j < 32; j++) {
                y = i - top; x = j - left; if (y < 0) y = -y; if (x < 0) x = -x
                if (label == 0) inside = x * x + y * y < size * size
                else if (label == 1) inside = x < size && y < size && (x > size - 3 || y > size - 3)
                else inside = (x < size * 0.35 && y < size) || (y < size * 0.35 && x < size)
                for (c = 0; c < 3; c++) printf ",%d", (inside ? ink[c] : ground[c]) * 0.97 + rand() * 6
            }
            print ""
        }
    }'
}

# bytes HEX...: those bytes.
bytes() {
    local byte
    for byte in "$@"; do printf '%b' "\\x$byte"; done
}

# idx_images COUNT SIDE: an IDX file of COUNT images of zeros.
idx_images() {
    bytes 00 00 08 03 00 00 00 "$(printf %02x "$1")" 00 00 00 "$(printf %02x "$2")" 00 00 00 "$(printf %02x "$2")"
    head -c $(($1 * $2 * $2)) /dev/zero
}

# idx_labels LABEL...: an IDX file of labels.
idx_labels() {
    bytes 00 00 08 01 00 00 00 "$(printf %02x $#)"
    local label
    for label in "$@"; do bytes "$(printf %02x "$label")"; done
}

# npy COUNT SHAPE: a NumPy file of that many bytes, all 0.
npy() {
    bytes 93 4e 55 4d 50 59 01 00 76 00
    printf '%-117s\n' "{'descr': '|u1', 'fortran_order': False, 'shape': ($2), }"
    head -c "$1" /dev/zero
}

# net SIDE CLASSES: a small model.
net() {
    cat <<END
{"class_name": "Sequential", "config": {"name": "small", "layers": [
  {"class_name": "InputLayer", "config": {"batch_shape": [null, $1, $1, 1]}},
  {"class_name": "Conv2D", "config": {"filters": 4, "kernel_size": 3, "activation": "relu"}},
  {"class_name": "MaxPooling2D", "config": {}},
  {"class_name": "BatchNormalization", "config": {}},
  {"class_name": "Flatten", "config": {}},
  {"class_name": "Dense", "config": {"units": $2, "activation": "softmax"}}]}}
END
}

# small_data: small.h5 and net.json that fits it.
small_data() {
    csv 80 8 3 >small.csv
    net 8 3 >net.json
    dcnn prepare small.csv --no-stratify -o small.h5 >small.said
}

# hash_of FILE: its weights' hash.
hash_of() {
    dcnn info "$1" | sed -n 's/^weights hash *//p'
}

# shellcheck source=/dev/null
source "$1"
