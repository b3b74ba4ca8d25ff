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
for source in h5_[!l]* h5_labels* h5_lzf*; do prepare "$source"; done
prepare h5_libver_latest_gzip.h5 >said # read from HDF5 2.0 on
grep -qE "was written by a newer HDF5 than this one|train 40, test 20" said && echo "read, or refused by name"
prepare h5_foreign_X_y_onehot_float.h5 --scale 255
echo "-- as a data set"
for source in h5_SILENT_mean_std_of_0_to_255.h5 h5_SILENT_splits_overlap.h5 h5_SILENT_split_named_val.h5; do
    try dcnn info "$source"
done
for source in h5_foreign_X_y_onehot_float.h5 h5_images_NCHW.h5 h5_images_int64.h5 h5_labels_Nx1.h5; do
    dcnn info "$source" || echo "exit $?"
done 2>&1
