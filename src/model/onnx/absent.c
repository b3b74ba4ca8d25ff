/* SPDX-License-Identifier: BSD-3-Clause */
/* absent.c — in place of all others here, where dcnn is built without ONNX. */
#include "model/onnx/onnx.h"

static dcnn_status fail(const char *path) {
    return DCNN_FAIL(DCNN_FAILURE,
                     "%s: this dcnn was built without ONNX (cmake -DDCNN_ONNX=ON, which needs protobuf-c)", path);
}

dcnn_status dcnn_onnx_write(const char *path, const dcnn_checkpoint *checkpoint, bool bytes) {
    (void)checkpoint;
    (void)bytes;
    return fail(path);
}

dcnn_status dcnn_onnx_read(const char *path, dcnn_checkpoint *checkpoint) {
    *checkpoint = (dcnn_checkpoint){0};
    return fail(path);
}
