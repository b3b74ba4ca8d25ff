# SPDX-License-Identifier: BSD-3-Clause
# CPack's last step: the outer headers of a .deb, an archive of ar, get the mode 100644. CPack writes what the umask of who
# makes the package has left of it, and two people's packages of the same sources were not the same bytes.
# A member's header has 60 bytes, its mode at 40, its size at 48; members begin at even places.
foreach(package IN LISTS CPACK_PACKAGE_FILES)
  if(NOT package MATCHES "\\.deb$")
    continue()
  endif()
  file(SIZE "${package}" end)
  set(at 8)
  while(at LESS end)
    math(EXPR mode_at "${at} + 40")
    math(EXPR size_at "${at} + 48")
    execute_process(COMMAND printf "100644  " COMMAND dd "of=${package}" bs=1 seek=${mode_at} conv=notrunc
      OUTPUT_QUIET ERROR_QUIET COMMAND_ERROR_IS_FATAL ANY)
    file(READ "${package}" size OFFSET ${size_at} LIMIT 10)
    string(STRIP "${size}" size)
    math(EXPR at "${at} + 60 + (${size} + 1) / 2 * 2")
  endwhile()
endforeach()
