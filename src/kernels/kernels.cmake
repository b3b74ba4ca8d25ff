# kernels/: *_simd.c is compiled once per instruction set, everything else once. What is rounded once is said in the
# source (simd_multiply_add), so that all instruction sets do the same arithmetic: the compiler may not choose.
file(GLOB kernel_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.c ${CMAKE_CURRENT_LIST_DIR}/*/*.c)
file(GLOB simd_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*/*_simd.c)
list(REMOVE_ITEM kernel_sources ${simd_sources} ${CMAKE_CURRENT_LIST_DIR}/bf16/product_bf16_amx.c
  ${CMAKE_CURRENT_LIST_DIR}/bf16/product_bf16_avx512_bf16.c)
add_library(dcnn_kernels STATIC ${kernel_sources})
target_link_libraries(dcnn_kernels PUBLIC dcnn_base PkgConfig::OPENBLAS)

# dcnn_isa(NAME SOURCES FLAGS…): those sources once more, with DCNN_ISA=NAME, into the same library.
function(dcnn_isa name sources)
  add_library(dcnn_kernels_${name} OBJECT ${${sources}})
  target_link_libraries(dcnn_kernels_${name} PRIVATE dcnn_base)
  target_compile_definitions(dcnn_kernels_${name} PRIVATE DCNN_ISA=${name} DCNN_ISA_${name})
  target_compile_options(dcnn_kernels_${name} PRIVATE ${ARGN})
  target_sources(dcnn_kernels PRIVATE $<TARGET_OBJECTS:dcnn_kernels_${name}>)
  set_property(GLOBAL APPEND PROPERTY DCNN_ISAS ${name}) # for libdcnn.a
endfunction()

include(CheckCCompilerFlag)
dcnn_isa(generic simd_sources)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  dcnn_isa(avx2 simd_sources -mavx2 -mfma -mtune=haswell)
  set(avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mprefer-vector-width=512 -mtune=skylake-avx512)
  dcnn_isa(avx512 simd_sources ${avx512})
  # AMX is AVX-512 with another product: what is built on products once more, and the product itself.
  check_c_compiler_flag("-mamx-tile -mamx-bf16 -mavx512bf16" DCNN_COMPILES_AMX_BF16)
  if(DCNN_COMPILES_AMX_BF16)
    file(GLOB amx_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/bf16/bf16_*_simd.c
      ${CMAKE_CURRENT_LIST_DIR}/bf16/product_bf16_amx.c)
    dcnn_isa(amx amx_sources ${avx512} -mavx512bf16 -mamx-tile -mamx-bf16)
    target_compile_definitions(dcnn_kernels_amx PRIVATE DCNN_ISA_avx512)
    # So is AVX512-BF16, whose sums are others.
    file(GLOB avx512_bf16_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/bf16/bf16_*_simd.c
      ${CMAKE_CURRENT_LIST_DIR}/bf16/product_bf16_avx512_bf16.c)
    dcnn_isa(avx512_bf16 avx512_bf16_sources ${avx512} -mavx512bf16)
    target_compile_definitions(dcnn_kernels_avx512_bf16 PRIVATE DCNN_ISA_avx512)
    target_compile_definitions(dcnn_kernels PRIVATE DCNN_HAS_AMX)
  endif()
endif()
