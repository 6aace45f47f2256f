# The system libraries, as imported targets. Debian 12's versions are the floor.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(ZMQ REQUIRED IMPORTED_TARGET libzmq>=4.3.4)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson>=2.14)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto>=3.0)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.40)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash>=0.8)
pkg_check_modules(EVENT REQUIRED IMPORTED_TARGET libevent>=2.1)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl>=7.88)
pkg_check_modules(INIH REQUIRED IMPORTED_TARGET inih)
# The system's Lua, or a given source tree (5.4.2 or later, as Lua's own archives, Debian's source
# package and others have it) compiled in: its language core and nothing else (no io, os, debug or
# package library exists in the process then), with hidden symbols, for hosts that export another Lua.
# pep_lua_whole has all of Lua's library: for tests and benchmarks that run Lua beside the engine.
add_library(pep_lua INTERFACE)
add_library(pep_lua_whole INTERFACE)
target_link_libraries(pep_lua_whole INTERFACE pep_lua)
if(PEP_LUA_SOURCE)
  set(lua_dir ${PEP_LUA_SOURCE})
  if(NOT EXISTS ${lua_dir}/lapi.c)
    set(lua_dir ${PEP_LUA_SOURCE}/src)
  endif()
  if(NOT EXISTS ${lua_dir}/lapi.c OR NOT EXISTS ${lua_dir}/lua.h)
    message(FATAL_ERROR "PEP_LUA_SOURCE: neither ${PEP_LUA_SOURCE} nor its src folder holds lapi.c and "
                        "lua.h; name the folder of a Lua 5.4 source tree")
  endif()
  # 5.1 to 5.4 write LUA_VERSION_NUM as a figure, 5.5 as a sum.
  file(STRINGS ${lua_dir}/lua.h lua_version REGEX "^#define[ \t]+LUA_VERSION_NUM[ \t]")
  string(REGEX REPLACE "^#define[ \t]+LUA_VERSION_NUM[ \t]+" "" lua_version "${lua_version}")
  if(NOT lua_version STREQUAL "504")
    message(FATAL_ERROR "PEP_LUA_SOURCE: ${lua_dir} is not Lua 5.4: its LUA_VERSION_NUM is "
                        "\"${lua_version}\", not 504; name the folder of a Lua 5.4 source tree")
  endif()
  # Up to 5.4.1 a call between two Lua functions takes C stack, so that recursion would end a thread of
  # 256 KiB instead of the decision.
  file(STRINGS ${lua_dir}/lua.h lua_release REGEX "^#define[ \t]+LUA_VERSION_RELEASE[ \t]")
  if(lua_release MATCHES "\"([01])\"")
    message(FATAL_ERROR "PEP_LUA_SOURCE: ${lua_dir} is Lua 5.4.${CMAKE_MATCH_1}: 5.4.0 and 5.4.1 use "
                        "the C stack for calls between Lua functions; take 5.4.2 or later")
  endif()
  set(lua_core lapi lauxlib lcode lctype ldebug ldo ldump lfunc lgc llex lmem lobject lopcodes
               lparser lstate lstring ltable ltm lundump lvm lzio)
  set(lua_rest lbaselib lcorolib ldblib linit liolib lmathlib loadlib loslib lstrlib ltablib lutf8lib)
  foreach(part core rest)
    list(TRANSFORM lua_${part} PREPEND ${lua_dir}/)
    list(TRANSFORM lua_${part} APPEND .c)
    add_library(pep_lua_${part} STATIC EXCLUDE_FROM_ALL ${lua_${part}})
    set_target_properties(pep_lua_${part} PROPERTIES C_VISIBILITY_PRESET hidden C_EXTENSIONS ON)
    target_compile_definitions(pep_lua_${part} PRIVATE LUA_USE_POSIX)
    target_include_directories(pep_lua_${part} SYSTEM PUBLIC ${lua_dir})
  endforeach()
  target_link_libraries(pep_lua_core PUBLIC m)
  target_link_libraries(pep_lua_rest PUBLIC pep_lua_core)
  target_link_libraries(pep_lua INTERFACE pep_lua_core)
  target_link_libraries(pep_lua_whole INTERFACE pep_lua_rest)
else()
  pkg_check_modules(LUA REQUIRED IMPORTED_TARGET lua5.4>=5.4.4)
  target_link_libraries(pep_lua INTERFACE PkgConfig::LUA)
endif()
