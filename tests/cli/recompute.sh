# SPDX-License-Identifier: BSD-3-Clause
# Activations that are computed again for the backward pass: the same weights in less memory.
small_data
node() { echo "{\"class_name\": \"$2\", \"name\": \"$1\", \"config\": {\"name\": \"$1\"$3}, \"inbound_nodes\": [[$(for from in "${@:4}"; do echo "[\"$from\", 0, 0, {}]"; done | paste -sd,)]]},"; }
{
    echo '{"class_name": "Functional", "config": {"name": "residual", "layers": ['
    echo '{"class_name": "InputLayer", "name": "in", "config": {"name": "in", "batch_shape": [null, 8, 8, 1]}, "inbound_nodes": []},'
    node s0 Conv2D ', "filters": 8, "kernel_size": 3, "padding": "same"' in
    for ((i = 1, j = 0; i <= 6; i++, j++)); do
        node "a$i" Conv2D ', "filters": 8, "kernel_size": 1, "use_bias": false' "s$j"
        node "b$i" BatchNormalization ', "momentum": 0.5' "a$i"
        node "c$i" Activation ', "activation": "swish"' "b$i"
        node "d$i" DepthwiseConv2D ', "kernel_size": 3, "padding": "same"' "c$i"
        node "e$i" BatchNormalization ', "momentum": 0.5' "d$i"
        node "f$i" ReLU '' "e$i"
        node "g$i" Dropout ', "rate": 0.3' "f$i"
        node "s$i" Add '' "g$i" "s$j"
    done
    node p MaxPooling2D '' s6
    node q GlobalAveragePooling2D '' p
    node out Dense ', "units": 3, "activation": "softmax"' q | sed '$s/,$//'
    echo '], "input_layers": [["in", 0, 0]], "output_layers": [["out", 0, 0]]}}'
} >residual.json
sed -E '/BatchNormalization/s/BatchNormalization", (.*), "momentum": 0.5/LayerNormalization", \1/' residual.json >layers.json
how=(small.h5 --epochs 2 --batch-size 24 --grain 4 --threads 1 --no-report)
for model in residual layers; do
    dcnn train "${how[@]}" --model $model.json --run $model -q >/dev/null
    dcnn train "${how[@]}" --model $model.json --recompute --run $model-less 2>said >/dev/null
    sed -nE 's/^memory .*: activations ([0-9.]+ [KM]iB) \(([0-9.]+ [KM]iB) without --recompute\).*/\1 \2/p' said |
        awk -v model=$model '{ with = $1 * ($2 == "MiB" ? 1024 : 1); without = $3 * ($4 == "MiB" ? 1024 : 1)
            print model ": " (with < 0.8 * without ? "less memory" : "not much less memory: " $0) }'
    ranks 3 dcnn train "${how[@]}" --model $model.json --recompute --run $model-3 -q >/dev/null
    dcnn train "${how[@]}" --model $model.json --recompute --run $model-cut --stop-after 3 -q >/dev/null 2>&1
    dcnn train small.h5 --run $model-cut --resume -q --no-report >/dev/null
    for run in less 3 cut; do
        [[ $(hash_of $model/best.h5) == "$(hash_of $model-$run/best.h5)" ]] && cmp <(cut -d, -f1-5 $model/metrics.csv) <(cut -d, -f1-5 $model-$run/metrics.csv) && echo "$model $run: same weights, same figures"
    done
done
# part of it frozen
dcnn train "${how[@]}" --model residual/best.h5 --freeze-below d3 --run frozen -q >/dev/null
dcnn train "${how[@]}" --model residual/best.h5 --freeze-below d3 --recompute --run frozen-less -q >/dev/null
[[ $(hash_of frozen/best.h5) == "$(hash_of frozen-less/best.h5)" ]] && echo "frozen: same weights"
