# SPDX-License-Identifier: BSD-3-Clause
# The folders that are installed into: what is missing of them is made first, for all to read. CMake makes them as the umask
# of who installs, or makes a package, says; so under a umask of 077 nobody but root could have used what is in them.
set(dcnn_folders ${CMAKE_INSTALL_BINDIR} ${CMAKE_INSTALL_INCLUDEDIR} ${CMAKE_INSTALL_LIBDIR}/pkgconfig
  ${CMAKE_INSTALL_LIBDIR}/cmake/dcnn ${CMAKE_INSTALL_MANDIR}/man1 ${CMAKE_INSTALL_DOCDIR} ${CMAKE_INSTALL_DATADIR}/dcnn
  ${CMAKE_INSTALL_DATADIR}/bash-completion/completions ${CMAKE_INSTALL_DATADIR}/zsh/site-functions
  ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
install(CODE "set(dcnn_folders \"${dcnn_folders}\")")
install(CODE [[
  set(open PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
  if("$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}" MATCHES "/_CPack_Packages/") # CPack has made a package's /usr
    file(CHMOD "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}" ${open})
  endif()
  foreach(folder IN LISTS dcnn_folders)
    if(NOT IS_ABSOLUTE "${folder}")
      set(folder "${CMAKE_INSTALL_PREFIX}/${folder}")
    endif()
    set(missing)
    set(at "$ENV{DESTDIR}${folder}")
    while(NOT EXISTS "${at}")
      list(PREPEND missing "${at}")
      get_filename_component(at "${at}" DIRECTORY)
    endwhile()
    foreach(made IN LISTS missing)
      file(MAKE_DIRECTORY "${made}")
      file(CHMOD "${made}" ${open})
    endforeach()
  endforeach()
]])
