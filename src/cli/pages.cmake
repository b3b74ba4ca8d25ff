# SPDX-License-Identifier: BSD-3-Clause
# A man page of each command that the program has: cmake -DDCNN=PROGRAM -DPAGES=FOLDER -P pages.cmake
execute_process(COMMAND ${DCNN} help --commands OUTPUT_VARIABLE commands COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[a-z]+" commands "${commands}")
foreach(command ${commands})
  execute_process(COMMAND ${DCNN} help --man ${command} OUTPUT_FILE ${PAGES}/dcnn-${command}.1 COMMAND_ERROR_IS_FATAL ANY)
endforeach()
