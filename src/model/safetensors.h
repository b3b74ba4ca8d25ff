/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file safetensors.h — weights alone in Hugging Face's format: 8 bytes with the length of a JSON header, the header
 * {"NAME": {"dtype", "shape", "data_offsets": [begin, end]}, …, "__metadata__": {texts}}, and the tensors' bytes.
 *
 * Names are Keras' paths of weights ("conv2d/kernel"), shapes are Keras'. __metadata__ has what dcnn knows besides:
 * created_by, mean, std, input, class_names (lists as JSON).
 */
#ifndef DCNN_MODEL_SAFETENSORS_H
#define DCNN_MODEL_SAFETENSORS_H

#include "model/model.h"

/** Writes a model's weights, whole or not at all. *Local.* @return DCNN_OK, DCNN_FAILURE */
dcnn_status dcnn_safetensors_write(const char *path, const dcnn_checkpoint *checkpoint);

/**
 * Fills the weights of checkpoint->net by name, and takes mean, std and class names if the file has them. F32, F64, F16
 * and BF16 are read. *Local.*
 * @return DCNN_OK; DCNN_BAD_INPUT: damaged, a weight that is not there or has another shape, or one that is too many
 */
dcnn_status dcnn_safetensors_read(const char *path, dcnn_checkpoint *checkpoint);

#endif
