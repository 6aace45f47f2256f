# Text files as C data: pep_embed(target prefix BASE FILE...) makes PREFIX.h and PREFIX.c in the build
# folder with one table `struct embedded_file PREFIX[]`, ended by a NULL path. BASE is what the paths
# in the table are relative to. Bytes are written as octal escapes only where C needs it.
function(pep_embed target prefix base)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/embed_${prefix}.c)
  set(inputs)
  foreach(file ${ARGN})
    list(APPEND inputs ${base}/${file})
  endforeach()
  string(REPLACE ";" "," list "${ARGN}")
  add_custom_command(OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DOUT=${out} -DPREFIX=${prefix} -DBASE=${base} -DFILES=${list}
            -P ${CMAKE_SOURCE_DIR}/cmake/EmbedFiles.cmake
    DEPENDS ${inputs} ${CMAKE_SOURCE_DIR}/cmake/EmbedFiles.cmake VERBATIM)
  target_sources(${target} PRIVATE ${out})
endfunction()
