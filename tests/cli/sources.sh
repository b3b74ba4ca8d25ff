# SPDX-License-Identifier: BSD-3-Clause
# Every small input of tests/cases: what prepare says of it, and that those with the same digits give the same pixels.
cp -r "$DCNN_DATA/../tests/cases/." . && chmod -R u+w .
pixels() { h5dump -d /images -d /labels "$1" | sed -n '/DATA {/,$p' | cksum; }

prepare() {
    echo "== $*"
    dcnn prepare "$@" --no-stratify --test-split 0 --validation-split 0 -o out.h5 --force 2>&1 || echo "exit $?"
}

echo "-- tables with the same 12 digits"
prepare csv_ok_reference.csv
pixels out.h5 >reference
for source in csv_semicolon.csv csv_tab.csv csv_space_before_comma.csv csv_in_a_txt.txt csv_quoted_header_rownames.csv \
    csv_header_class.csv csv_header_y.csv csv_label_last.csv csv_float_label.csv csv_id_label.csv; do
    prepare "$source"
    pixels out.h5 | cmp - reference || echo "$source: other pixels"
done
echo "-- other tables"
for source in csv_cr_only.csv csv_comment.csv csv_noheader.csv csv_noheader_label_last.csv \
    csv_sklearn_digits_first30_noheader_label_last.csv.gz csv_float0_1.csv csv_float255.0.csv csv_letters_label.csv csv_strings_label.csv \
    csv_label_from1.csv csv_label_skip9.csv csv_two_classes_1_2_accepted_as_3.csv \
    csv_labels_0_255_accepted_as_256_classes.csv csv_one_class_3_accepted_as_4_classes.csv csv_id_test.csv \
    csv_header_numeric_unlabelled_test.csv csv_rgb_10x10x3_label_last_HAM10000_like.csv train.csv.zip; do
    prepare "$source"
done
prepare csv_float0_1.csv --scale 16
prepare csv_rgb_10x10x3_label_last_HAM10000_like.csv --shape 10x10x3
prepare csv_noheader.csv --label-column last
prepare csv_noheader.csv --label-column nobody
echo "-- folders and images"
prepare folder_classes
prepare png_7
prepare png_7/seven_7.jpg
echo "-- arrays"
for source in npz_keras_mnist_names.npz npz_kmnist-train-imgs.npz idx_emnist_names_transposed_labels_from_1 \
    idx_kaggle_folder_and_file_of_one_name idx_test_pair_ignored idx_other_types idx_other_types/float32-images; do
    prepare "$source"
done
prepare npz_kmnist-train-imgs.npz npz_kmnist-train-labels.npz
prepare idx_emnist_names_transposed_labels_from_1 --transpose
for images in flat-images-idx2 float32-images; do prepare "idx_other_types/$images" idx_other_types/int32-labels; done
echo "-- HDF5 by other hands"
for source in h5_[!ln]* h5_labels* h5_l[iz]*; do prepare "$source"; done
prepare h5_foreign_X_y_onehot_float.h5 --scale 255
echo "-- of HDF5 2.0, libver='latest': the indexes of packed chunks that it writes; two unlimited dimensions only it reads"
prepare npz_of_newer.npz
pixels out.h5 >newer
for source in h5_newer_fixed.h5 h5_newer_extensible.h5; do
    prepare "$source"
    pixels out.h5 | cmp - newer && echo "the same images and labels"
done
prepare h5_newer_bool.h5
# refused where HDF5 itself does not read it, by the same line everywhere
refused() { grep -oE "data set 'images' was written by a newer HDF5|40 images|40 of 2x2x1" | sort -u; }
for command in "prepare h5_newer_btree.h5 -o tree.h5" "info h5_newer_btree.h5" "train h5_newer_btree.h5 --epochs 1 --no-report"; do
    dcnn $command 2>&1 | refused | grep -q . && echo "read, or refused by name"
done
net 8 3 >net.json
dcnn info h5_libver_latest_gzip.h5 | grep '^images'
newest=(dcnn train h5_libver_latest_gzip.h5 --model net.json --epochs 1 --batch-size 8 --no-report)
"${newest[@]}" --run held >said 2>&1
"${newest[@]}" --run streamed --cache-memory 2K 2>&1 | grep -o "are streamed"
[[ $(hash_of held/best.h5) == "$(hash_of streamed/best.h5)" ]] && echo "held and streamed: the same weights"
dcnn evaluate held/best.h5 h5_libver_latest_gzip.h5 | grep -o "(. of 20)"
echo "-- as a data set"
for source in h5_SILENT_mean_std_of_0_to_255.h5 h5_SILENT_splits_overlap.h5 h5_SILENT_split_named_val.h5; do
    try dcnn info "$source"
done
for source in h5_foreign_X_y_onehot_float.h5 h5_images_NCHW.h5 h5_images_int64.h5 h5_labels_Nx1.h5; do
    dcnn info "$source" || echo "exit $?"
done 2>&1
