# Run by Embed.cmake at build time: writes the C file. Each text is an array of bytes, because a string
# literal of ISO C may be too short for a whole file.
string(REPLACE "," ";" files "${FILES}")
set(text "/* Generated from text files: do not edit. */\n#include \"pdp/policyctl/embedded.h\"\n\n")
set(rows "")
set(n 0)
foreach(file ${files})
  file(READ ${BASE}/${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(REPLACE "0x0a," "0x0a,
" bytes "${bytes}") # a line of C for each line of text
  string(APPEND text "static const unsigned char file_${n}[] = {\n${bytes}0x00};\n\n")
  string(APPEND rows "    {\"${file}\", file_${n}, sizeof(file_${n}) - 1},\n")
  math(EXPR n "${n} + 1")
endforeach()
string(APPEND text "const struct embedded_file ${PREFIX}[] = {\n${rows}    {0, 0, 0},\n};\n")
file(WRITE ${OUT} "${text}")
