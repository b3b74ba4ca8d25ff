# The same truth under names in another order: one accuracy; other names: refused.
cp "$DCNN_DATA/../tests/cases/"h5_SILENT_class* . && chmod u+w ./*.h5
net 8 10 >net.json
dcnn train h5_SILENT_class_names_order_1.h5 --model net.json --epochs 30 --batch-size 8 --no-augment --no-report --run one >said 2>&1 || cat said
for order in 1 2_same_truth; do
    dcnn evaluate one/best.h5 "h5_SILENT_class_names_order_$order.h5" --split train 2>said | grep '^accuracy'
    cat said
done
small_data
dcnn evaluate one/best.h5 small.h5 | grep -c support # classes without names go by number
csv 40 8 3 | sed '2,$s/^0/cat/; 2,$s/^1/dog/; 2,$s/^2/emu/' >named.csv
dcnn prepare named.csv -o named.h5 | tail -n 1
try dcnn evaluate one/best.h5 named.h5
