/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file onnx.h — models as ONNX files (onnx.ai), for the programs that only run them, and from PyTorch.
 *
 * Images are [N, channels, height, width] there, of any N. A net's values are turned round once, where they are written
 * or read: kernels [height, width, in, out] are [out, in, height, width], and before a Flatten stands a Transpose, so
 * that what follows it keeps its order. Operators are those of opset 17, of a later one where a net needs it.
 */
#ifndef DCNN_MODEL_ONNX_H
#define DCNN_MODEL_ONNX_H

#include "model/model.h"

/**
 * Writes a model for inference, whole or not at all: one input "images", one output "output", which is what the last
 * layer makes. Class names and what the input is standardised by stand in metadata_props. *Local.*
 * @param bytes  the input is uint8, for a net that scales its input itself (dcnn_net_takes_bytes())
 * @return DCNN_OK; DCNN_BAD_INPUT naming the layer for which there is no operator; DCNN_FAILURE (disk, memory, a build
 * without ONNX)
 */
dcnn_status dcnn_onnx_write(const char *path, const dcnn_checkpoint *checkpoint, bool bytes);

/**
 * Reads a model for inference or further training: a graph of one image input and one output, of operators that are
 * layers of dcnn (docs/networks.md), with its weights, also from a file beside it. *Local.* Zeroes `checkpoint` first;
 * free with dcnn_checkpoint_free().
 * @return DCNN_OK; DCNN_BAD_INPUT: damaged, or an operator or setting that dcnn does not have, by name; DCNN_FAILURE
 */
dcnn_status dcnn_onnx_read(const char *path, dcnn_checkpoint *checkpoint);

#endif
