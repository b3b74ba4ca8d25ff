# SPDX-License-Identifier: BSD-3-Clause
# ONNX's messages, made from their description by protobuf-c. Without DCNN_ONNX absent.c says so, in place of all else.
get_target_property(dcnn_model_sources dcnn_model SOURCES)
if(NOT DCNN_ONNX)
  list(FILTER dcnn_model_sources EXCLUDE REGEX "/model/onnx/")
  set_target_properties(dcnn_model PROPERTIES SOURCES
    "${dcnn_model_sources};${CMAKE_SOURCE_DIR}/src/model/onnx/absent.c")
  return()
endif()
list(FILTER dcnn_model_sources EXCLUDE REGEX "/model/onnx/absent.c")
set_target_properties(dcnn_model PROPERTIES SOURCES "${dcnn_model_sources}")
set(DCNN_ONNX_FOLDER ${CMAKE_BINARY_DIR}/onnx)
file(MAKE_DIRECTORY ${DCNN_ONNX_FOLDER})
add_custom_command(
  OUTPUT ${DCNN_ONNX_FOLDER}/onnx.pb-c.c ${DCNN_ONNX_FOLDER}/onnx.pb-c.h
  COMMAND ${PROTOC_C} --c_out=${DCNN_ONNX_FOLDER} --proto_path=${CMAKE_SOURCE_DIR}/src/model/onnx onnx.proto
  DEPENDS ${CMAKE_SOURCE_DIR}/src/model/onnx/onnx.proto
  VERBATIM)
add_library(dcnn_onnx STATIC ${DCNN_ONNX_FOLDER}/onnx.pb-c.c)
target_link_libraries(dcnn_onnx PUBLIC PkgConfig::PROTOBUF_C PRIVATE dcnn_generated)
target_include_directories(dcnn_onnx SYSTEM INTERFACE ${DCNN_ONNX_FOLDER})
target_include_directories(dcnn_onnx PRIVATE ${DCNN_ONNX_FOLDER})
target_link_libraries(dcnn_model PRIVATE dcnn_onnx)
