# SPDX-License-Identifier: BSD-3-Clause
# The job scripts of jobs/ as bytes in the program: `dcnn slurm` fills them in.
set(DCNN_JOBS_SOURCE ${CMAKE_BINARY_DIR}/jobs/jobs.c)
set(jobs_text "/* Made from jobs/ by src/cli/jobs.cmake. */\n#include \"cli/jobs.h\"\n")
foreach(job train.sbatch env.sh functions.sh)
  set(job_file ${CMAKE_SOURCE_DIR}/jobs/${job})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${job_file})
  string(REGEX REPLACE "\\..*" "" job_name ${job})
  file(READ ${job_file} job_bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," job_bytes ${job_bytes})
  string(APPEND jobs_text "const unsigned char dcnn_job_${job_name}[] = {${job_bytes}0};\n")
endforeach()
file(CONFIGURE OUTPUT ${DCNN_JOBS_SOURCE} CONTENT "${jobs_text}" @ONLY) # there before any target is made of it
