# What differs between machines, kernels and runs.
s/[0-9.]+ s([ ,]|$)/TIME s\1/g
s/[0-9,]+ images\/s/SPEED images\/s/
s/accuracy [0-9.]+ % \([0-9,]+ of/accuracy NUMBER % (N of/
s/(loss|accuracy|acc) [0-9]+\.[0-9]+/\1 NUMBER/g
s/best epoch [0-9]+ of/best epoch N of/
s/weights hash( *) [0-9a-f]{16}/weights hash\1 HASH/
s/(MPI +)Open MPI v[0-9.]+.*/\1VERSION/
s/(HDF5 +)[0-9]+\.[0-9]+\.[0-9]+/\1VERSION/
s/(OpenBLAS +)[0-9.]+, [A-Za-z0-9_]+ core/\1VERSION, CORE core/
s/(kernels +)(reference|generic|avx2|avx512|amx)$/\1ISA/
s/; this CPU's AMX is idle: --precision bf16 uses it$//
/^bf16  is slower than fp32 here: /d
s/, (reference|generic|avx2|avx512|amx) kernels, OpenBLAS .*/, ISA kernels, OpenBLAS CORE/
s/(ranks?) x [0-9]+ threads?/\1 x THREADS/
s/\(HDF5: .*\)/(HDF5: REASON)/
s/not valid JSON: .*/not valid JSON: REASON/
s/(choose one of reference, generic, avx2).*/\1, .../
# Whether threads are idle depends on the cores there are.
/warning: --batch-size .* of (each rank.s )?2?[0-9]+ threads (is|are) idle/d
