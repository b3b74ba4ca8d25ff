# SPDX-License-Identifier: BSD-3-Clause
# MATLAB, CIFAR, pairs of NumPy arrays, QMNIST, masks: the same images as the archive beside them holds.
cp "$DCNN_DATA/../tests/cases/"{mat_,npz_,cifar,npy_,qmnist,h5_bool,h5_file,h5_pcam}* .
pixels() { h5dump -d /images -d /labels "$1" | sed -n '/DATA {/,$p' | cksum; }
whole=(--test-split 0 --validation-split 0 -o out.h5 --force)
prepare() {
    echo "== $*"
    dcnn prepare "$@" "${whole[@]}" 2>&1 || echo "exit $?"
}
# same SOURCE...: as the archive?
same() {
    prepare "$@"
    pixels out.h5 | cmp - expected && echo "the same images and labels"
}
prepare npz_of_mat.npz
pixels out.h5 >expected
same mat_svhn_v73.mat
same npy_x.npy npy_y.npy
# read where libmatio was there at the build, else refused with what to do
if dcnn prepare mat_svhn_v5.mat "${whole[@]}" >said 2>&1; then
    grep -qx "mat_svhn_v5.mat: X: 8 images of 6x5x3" said && pixels out.h5 | cmp - expected
    dcnn prepare mat_v5_plain_double.mat "${whole[@]}" >said 2>&1
    grep -q "images: float64 (8, 6, 5): taken as bytes" said
    head -c 500 mat_svhn_v5.mat >cut.mat
    dcnn prepare cut.mat "${whole[@]}" >said 2>&1 || grep -q "cut.mat: a damaged MATLAB file" said
else
    grep -q "built without libmatio" said
fi && echo "MATLAB 5: read, or refused with what to do"
prepare npz_of_cifar.npz
pixels out.h5 >expected
same cifar10_data_batch_1.bin
mkdir cifar && cp cifar10_data_batch_1.bin cifar/data_batch_1.bin && cp cifar10_data_batch_1.bin cifar/test_batch.bin
prepare cifar
prepare cifar100_train.bin
head -c 3000 cifar100_train.bin >cut.bin
prepare cut.bin
prepare qmnist-train-images-idx3-ubyte qmnist-train-labels-idx2-int
prepare h5_bool_mask.h5
# what a name says, and what it does not
prepare h5_file_names.h5
dcnn info out.h5 | grep classes
prepare h5_pcam_train_x.h5 h5_pcam_train_y.h5
prepare h5_pcam_train_x.h5
prepare h5_pcam_train_y.h5
prepare npz_unknown_names.npz
prepare npz_medmnist.npz
prepare npz_text_labels.npz
dcnn info out.h5 | grep classes
prepare npy_x.npy npy_y.npy --test npy_x.npy npy_y.npy
prepare npy_x.npy npy_y.npy --test npy_x.npy --test npy_y.npy
for kind in 0_to_1 signed nan complex objects; do prepare "npz_$kind.npz"; done
prepare npy_x.npy npz_kmnist-train-labels.npz
echo "-- names of classes beside the files: CIFAR's, EMNIST's; a mapping that does not fit"
mkdir cifar && cp "$DCNN_DATA/../tests/cases/cifar10_data_batch_1.bin" cifar/data_batch_1.bin
printf '%s\n' airplane automobile bird cat deer dog frog horse ship truck '' >cifar/batches.meta.txt
prepare cifar/data_batch_1.bin
dcnn info out.h5 | grep classes
cp -r "$DCNN_DATA/../tests/cases/idx_emnist_names_transposed_labels_from_1" emnist && chmod -R u+w emnist
for i in 1 2 3 4 5 6 7 8 9 10; do echo "$i $((64 + i)) $((96 + i)) "; done >emnist/emnist-letters-mapping.txt
prepare emnist --transpose
dcnn info out.h5 | grep classes
prepare emnist/emnist-letters-train-images-idx3-ubyte.gz emnist/emnist-letters-train-labels-idx1-ubyte.gz
sed -i 3d emnist/emnist-letters-mapping.txt
prepare emnist --transpose
npy 40 '40, 1, 1' >x_train.npy
npy 40 '40' >y_train.npy
printf '\1' | dd of=y_train.npy bs=1 seek=130 conv=notrunc status=none
prepare x_train.npy y_train.npy # grey images of one pixel are no list
echo "-- labels below 0 are names"
npy 320 '40' | sed 's/u1/i8/' >y_train.npy # 40 of 8 bytes
printf '\377\377\377\377\377\377\377\377' | dd of=y_train.npy bs=1 seek=136 conv=notrunc status=none
prepare x_train.npy y_train.npy
echo "-- test images without labels beside labelled ones"
base64 -d >contest.npz <<<UEsDBC0AAAAIAAAAIQDCoVyR//////////8KABQAeF90ZXN0Lm5weQEAEACMAAAAAAAAAFQAAAAAAAAAm+wX6hsQychQxlCtnpJanFykbqWgXlNqqK6joJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBakAvkaxjoKRkCkqaNQq0Ae4GJg4eQVEpOWV9HQNQQAUEsDBC0AAAAIAAAAIQC8uvof//////////8LABQAeF90cmFpbi5ucHkBABAAmAAAAAAAAABhAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loF5Taqiuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GmY6CkZApKmjUKtAHuBi4BSSVtE1s/cIjErOKa1rnzBz0eote4+dBwBQSwMELQAAAAgAAAAhABNoW8P//////////wsAFAB5X3RyYWluLm5weQEAEACGAAAAAAAAAEgAAAAAAAAAm+wX6hsQychQxlCtnpJanFykbqWgXlNqqK6joJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBakAvkaZjqaOgq1ChQALgZGEAQAUEsBAi0DLQAAAAgAAAAhAMKhXJFUAAAAjAAAAAoAAAAAAAAAAAAAAIABAAAAAHhfdGVzdC5ucHlQSwECLQMtAAAACAAAACEAvLr6H2EAAACYAAAACwAAAAAAAAAAAAAAgAGQAAAAeF90cmFpbi5ucHlQSwECLQMtAAAACAAAACEAE2hbw0gAAACGAAAACwAAAAAAAAAAAAAAgAEuAQAAeV90cmFpbi5ucHlQSwUGAAAAAAMAAwCqAAAAswEAAAAA
prepare contest.npz
