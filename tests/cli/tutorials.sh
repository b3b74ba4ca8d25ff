# Networks as tutorials write them: opened, or refused with the layer and what is done. One takes its shape from the data.
cp -r "$DCNN_DATA/../tests/cases/models" . && chmod -R u+w models
for model in models/*.json; do
    echo "$model: $(dcnn info "$model" 2>&1 | grep -E '^(dcnn:|params)')"
done
csv 100 8 10 >small.csv
dcnn prepare small.csv -o small.h5 >/dev/null
dcnn train small.h5 --model models/small8.json --epochs 1 --batch-size 16 --run r --no-report -q >/dev/null 2>&1
dcnn info r/best.h5 | grep -E 'conv2d|params'
