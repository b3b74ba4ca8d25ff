# SPDX-License-Identifier: BSD-3-Clause
# Packages: `cpack -G DEB` or `cpack -G RPM` in a build folder (tools/packaging/README.md). What the program needs at run
# time is found from its libraries; Open MPI's mpirun and a font for figures are programs and files, so they are named.
set(CPACK_PACKAGE_NAME dcnn)
set(CPACK_PACKAGE_VENDOR "the dcnn authors")
set(CPACK_PACKAGE_CONTACT "the dcnn authors <dcnn@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Trains image networks on CPU clusters from one C program")
set(CPACK_PACKAGE_DESCRIPTION
"dcnn trains convolutional networks data-parallel over MPI, on one core or on many machines, with the same bits on any
number of processes. It reads folders of images, tables and arrays, resumes from HDF5 checkpoints, runs under Slurm, and
writes models that Keras opens.")
set(CPACK_RESOURCE_FILE_LICENSE ${CMAKE_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_POST_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/same_bytes.cmake)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "openmpi-bin, fonts-dejavu-core")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "openssh-client")

set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_DESCRIPTION "${CPACK_PACKAGE_DESCRIPTION}") # else CPack's own
set(CPACK_RPM_PACKAGE_LICENSE "BSD-3-Clause AND CC-BY-SA-3.0")
set(CPACK_RPM_PACKAGE_GROUP "Applications/Engineering")
set(CPACK_RPM_PACKAGE_REQUIRES "openmpi, dejavu-sans-fonts")
# The time of SOURCE_DATE_EPOCH, if it is set, and no name of the machine: so the same sources make the same bytes.
set(CPACK_RPM_SPEC_MORE_DEFINE "%define use_source_date_epoch_as_buildtime 1
%define clamp_mtime_to_source_date_epoch 1
%define _buildhost localhost")
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION /usr/share/man /usr/share/man/man1 /usr/share/bash-completion
  /usr/share/bash-completion/completions /usr/share/zsh /usr/share/zsh/site-functions /usr/share/fish
  /usr/share/fish/vendor_completions.d /usr/lib/pkgconfig /usr/lib/cmake)

set(CPACK_SOURCE_GENERATOR TXZ)
set(CPACK_SOURCE_IGNORE_FILES "/\\\\.git/" "/build[^/]*/" "/runs/" "${CMAKE_SOURCE_DIR}/dcnn$")
include(CPack)
