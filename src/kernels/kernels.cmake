# kernels/: *_simd.c is compiled once per instruction set, everything else once. -ffp-contract is stated a file: `fast`
# where FMA is the point, `off` in reference*.c, whose rounding is the definition of right.
file(GLOB kernel_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.c)
file(GLOB simd_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*_simd.c)
list(REMOVE_ITEM kernel_sources ${simd_sources})
add_library(dcnn_kernels STATIC ${kernel_sources})
target_link_libraries(dcnn_kernels PUBLIC dcnn_base PkgConfig::OPENBLAS)
file(GLOB reference_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/reference*.c)
set_source_files_properties(${reference_sources} PROPERTIES COMPILE_OPTIONS -ffp-contract=off)

# dcnn_isa(NAME FLAGS…): all *_simd.c once more, with DCNN_ISA=NAME, into the same library.
function(dcnn_isa name)
  add_library(dcnn_kernels_${name} OBJECT ${simd_sources})
  target_link_libraries(dcnn_kernels_${name} PRIVATE dcnn_base)
  target_compile_definitions(dcnn_kernels_${name} PRIVATE DCNN_ISA=${name} DCNN_ISA_${name})
  target_compile_options(dcnn_kernels_${name} PRIVATE -ffp-contract=fast ${ARGN})
  target_sources(dcnn_kernels PRIVATE $<TARGET_OBJECTS:dcnn_kernels_${name}>)
  set_property(GLOBAL APPEND PROPERTY DCNN_ISAS ${name}) # for libdcnn.a
endfunction()

dcnn_isa(generic)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  dcnn_isa(avx2 -mavx2 -mfma -mtune=haswell)
  dcnn_isa(avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mprefer-vector-width=512 -mtune=skylake-avx512)
endif()
