# SPDX-License-Identifier: BSD-3-Clause
# TensorBoard's messages, made from their description by protobuf-c.
set(DCNN_PROTO_FOLDER ${CMAKE_BINARY_DIR}/proto)
file(MAKE_DIRECTORY ${DCNN_PROTO_FOLDER})
add_custom_command(
  OUTPUT ${DCNN_PROTO_FOLDER}/tensorboard.pb-c.c ${DCNN_PROTO_FOLDER}/tensorboard.pb-c.h
  COMMAND ${PROTOC_C} --c_out=${DCNN_PROTO_FOLDER} --proto_path=${CMAKE_SOURCE_DIR}/src/report tensorboard.proto
  DEPENDS ${CMAKE_SOURCE_DIR}/src/report/tensorboard.proto
  VERBATIM)
add_library(dcnn_tensorboard STATIC ${DCNN_PROTO_FOLDER}/tensorboard.pb-c.c)
target_link_libraries(dcnn_tensorboard PUBLIC PkgConfig::PROTOBUF_C PRIVATE dcnn_generated)
target_include_directories(dcnn_tensorboard SYSTEM INTERFACE ${DCNN_PROTO_FOLDER})
target_include_directories(dcnn_tensorboard PRIVATE ${DCNN_PROTO_FOLDER})
