# SPDX-License-Identifier: BSD-3-Clause
# libdcnn: the public API and, behind it, what it needs of the house; shared and static, with a pkg-config file and a
# package for find_package(dcnn).
add_library(dcnn_shared SHARED $<TARGET_OBJECTS:dcnn_api>)
target_link_libraries(dcnn_shared PRIVATE dcnn_engine dcnn_model)
target_link_options(dcnn_shared PRIVATE -Wl,--no-undefined)
set_target_properties(dcnn_shared PROPERTIES LINKER_LANGUAGE C OUTPUT_NAME dcnn VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR} EXPORT_NAME dcnn)
target_include_directories(dcnn_shared INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

# A static library holds the objects of all its folders, for the folders themselves are not installed.
add_library(dcnn_static STATIC $<TARGET_OBJECTS:dcnn_api>)
get_property(isas GLOBAL PROPERTY DCNN_ISAS)
list(TRANSFORM isas PREPEND kernels_)
foreach(folder base kernels ${isas} comm nn io model engine)
  target_sources(dcnn_static PRIVATE $<TARGET_OBJECTS:dcnn_${folder}>)
endforeach()
if(DCNN_ONNX)
  target_sources(dcnn_static PRIVATE $<TARGET_OBJECTS:dcnn_onnx>)
  set(DCNN_PRIVATE_PACKAGES libprotobuf-c)
endif()
set_target_properties(dcnn_static PROPERTIES OUTPUT_NAME dcnn LINKER_LANGUAGE C)

install(TARGETS dcnn_shared EXPORT dcnn LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS dcnn_static ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/dcnn.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT dcnn FILE dcnn-targets.cmake NAMESPACE dcnn:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/dcnn)

include(CMakePackageConfigHelpers)
file(WRITE ${CMAKE_BINARY_DIR}/dcnn-config.cmake "include(\${CMAKE_CURRENT_LIST_DIR}/dcnn-targets.cmake)\n")
write_basic_package_version_file(${CMAKE_BINARY_DIR}/dcnn-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/dcnn-config.cmake ${CMAKE_BINARY_DIR}/dcnn-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/dcnn)

# What a static link needs besides: packages by their names, HDF5 and MPI by their files, for not all have a .pc.
set(DCNN_PRIVATE_LIBRARIES ${HDF5_C_LIBRARIES})
if(DCNN_MPI)
  list(APPEND DCNN_PRIVATE_LIBRARIES ${MPI_C_LIBRARIES})
endif()
list(REMOVE_DUPLICATES DCNN_PRIVATE_LIBRARIES)
string(REPLACE ";" " " DCNN_PRIVATE_LIBRARIES "${DCNN_PRIVATE_LIBRARIES}")
file(RELATIVE_PATH DCNN_PREFIX_FROM_PC /x/${CMAKE_INSTALL_LIBDIR}/pkgconfig /x)
string(REGEX REPLACE "/$" "" DCNN_PREFIX_FROM_PC ${DCNN_PREFIX_FROM_PC})
configure_file(${CMAKE_CURRENT_LIST_DIR}/dcnn.pc.in ${CMAKE_BINARY_DIR}/dcnn.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/dcnn.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
