# SPDX-License-Identifier: BSD-3-Clause
# kernels/: *_simd.c is compiled once per instruction set, everything else once. What is rounded once is said in the
# source (simd_multiply_add), so that all instruction sets do the same arithmetic: the compiler may not choose.
file(GLOB kernel_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.c ${CMAKE_CURRENT_LIST_DIR}/*/*.c)
file(GLOB simd_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*/*_simd.c)
file(GLOB product_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/bf16/product_bf16_*.c)
list(REMOVE_ITEM kernel_sources ${simd_sources} ${product_sources})
add_library(dcnn_kernels STATIC ${kernel_sources})
target_link_libraries(dcnn_kernels PUBLIC dcnn_base PkgConfig::OPENBLAS)

# dcnn_isa(NAME VECTORS SOURCES FLAGS…): those sources once more, with DCNN_ISA=NAME and simd_VECTORS.h, into the same library.
function(dcnn_isa name vectors sources)
  add_library(dcnn_kernels_${name} OBJECT ${${sources}})
  target_link_libraries(dcnn_kernels_${name} PRIVATE dcnn_base)
  set_target_properties(dcnn_kernels_${name} PROPERTIES DCNN_ISA_OBJECTS TRUE)
  target_compile_definitions(dcnn_kernels_${name} PRIVATE DCNN_ISA=${name}
    DCNN_SIMD_VECTORS="kernels/simd/simd_${vectors}.h")
  target_compile_options(dcnn_kernels_${name} PRIVATE ${ARGN})
  target_sources(dcnn_kernels PRIVATE $<TARGET_OBJECTS:dcnn_kernels_${name}>)
  set_property(GLOBAL APPEND PROPERTY DCNN_ISAS ${name}) # for libdcnn.a
endfunction()

# The list of instruction sets is isas.h: rows X(ID, name, vectors, agrees, CPU, "core", "flags").
include(CheckCCompilerFlag)
file(READ ${CMAKE_CURRENT_LIST_DIR}/isas.h isas_text)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/isas.h)
string(REGEX REPLACE "[ \\\n]+" " " isas_text "${isas_text}")
string(REGEX REPLACE "^.*#define DCNN_ISAS\\(X\\)" "" isas_text "${isas_text}")
string(REGEX MATCHALL " X\\(" isa_starts "${isas_text}")
string(REGEX MATCHALL "X\\([A-Z0-9_]+, [a-z0-9_]+, [a-z0-9_]+, [^\"]*, \"[A-Za-z0-9]*\", \"[^\"]*\"\\)" isa_rows "${isas_text}")
list(LENGTH isa_starts isa_count)
list(LENGTH isa_rows isa_read)
if(isa_count EQUAL 0 OR NOT isa_read EQUAL isa_count)
  message(FATAL_ERROR "src/kernels/isas.h: ${isa_count} rows of DCNN_ISAS, of which ${isa_read} can be read here: "
    "X(ID, name, vectors, agrees, CPU, \"core\", \"flags\")")
endif()
foreach(row ${isa_rows})
  string(REGEX MATCH "X\\(([A-Z0-9_]+), ([a-z0-9_]+), ([a-z0-9_]+),.*\"([^\"]*)\"\\)" _ "${row}")
  set(id ${CMAKE_MATCH_1})
  set(name ${CMAKE_MATCH_2})
  set(vectors ${CMAKE_MATCH_3})
  separate_arguments(flags UNIX_COMMAND "${CMAKE_MATCH_4}")
  set(flags_${name} ${flags})
  if(NOT name STREQUAL vectors)
    list(PREPEND flags_${name} ${flags_${vectors}})
  endif()
  string(JOIN " " all_flags ${flags_${name}})
  if(flags)
    check_c_compiler_flag("${all_flags}" DCNN_COMPILES_${id})
  else()
    set(DCNN_COMPILES_${id} TRUE)
  endif()
  if(NOT DCNN_COMPILES_${id})
    continue()
  endif()
  if(name STREQUAL vectors)
    dcnn_isa(${name} ${vectors} simd_sources ${flags_${name}})
  else() # what is built on products of bf16 once more, and the product itself
    file(GLOB own_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/bf16/bf16_*_simd.c
      ${CMAKE_CURRENT_LIST_DIR}/bf16/product_bf16_${name}.c)
    dcnn_isa(${name} ${vectors} own_sources ${flags_${name}})
  endif()
  target_compile_definitions(dcnn_kernels PRIVATE DCNN_BUILT_${id}=1)
endforeach()
