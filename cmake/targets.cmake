# The compiler settings that every target of the project shares, and the one way to add a library.

add_library(iomap_settings INTERFACE)
target_include_directories(iomap_settings INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:${IOMAP_INSTALL_HEADERS}>)
target_compile_features(iomap_settings INTERFACE cxx_std_20)
target_compile_options(iomap_settings INTERFACE $<BUILD_INTERFACE:-Wall;-Wextra;-Werror>)
if(IOMAP_SANITIZE)
  target_compile_options(iomap_settings INTERFACE -fsanitize=${IOMAP_SANITIZE}
                         -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(iomap_settings INTERFACE -fsanitize=${IOMAP_SANITIZE})
  if(IOMAP_SANITIZE STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # The sanitizer does not know fences; there is one, and what it orders is exempt by name.
    target_compile_options(iomap_settings INTERFACE -Wno-tsan)
  endif()
endif()

# iomap_library(NAME SOURCES a.cc ... DEPENDS target ...) adds a static library NAME.
function(iomap_library name)
  cmake_parse_arguments(PARSE_ARGV 1 library "" "" "SOURCES;DEPENDS")
  add_library(${name} STATIC ${library_SOURCES})
  if(IOMAP_FUZZ)
    # Of the tests around them, the fuzzing engine need not know anything.
    set(coverage -fprofile-instr-generate -fcoverage-mapping)
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer-no-link ${coverage})
    target_link_options(${name} PUBLIC ${coverage})
  endif()
  target_link_libraries(${name} PUBLIC iomap_settings ${library_DEPENDS})
endfunction()
