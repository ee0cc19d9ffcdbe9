# What find_package(iomap) finds: the libraries of the layers as iomap::iomap, iomap::dax,
# iomap::backends, iomap::ram and, with the component of that name, iomap::conformance.
include(CMakePackageConfigHelpers)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/iomap)

set_target_properties(iomap_settings PROPERTIES EXPORT_NAME settings)
set_target_properties(iomap_dax PROPERTIES EXPORT_NAME dax)
set_target_properties(iomap_backends_shared PROPERTIES EXPORT_NAME backends_shared)
set_target_properties(iomap_ext4 PROPERTIES EXPORT_NAME ext4)
set_target_properties(iomap_ram PROPERTIES EXPORT_NAME ram)
set_target_properties(iomap_xfs PROPERTIES EXPORT_NAME xfs)
set_target_properties(iomap_backends PROPERTIES EXPORT_NAME backends)
install(TARGETS iomap_settings iomap iomap_dax iomap_backends_shared iomap_ext4 iomap_ram iomap_xfs
                iomap_backends
        EXPORT iomap)
install(EXPORT iomap NAMESPACE iomap:: DESTINATION ${package_folder} FILE iomap-targets.cmake)
install(DIRECTORY iomap dax DESTINATION ${IOMAP_INSTALL_HEADERS}
        FILES_MATCHING PATTERN "*.h" PATTERN "*.inc")
install(DIRECTORY backends DESTINATION ${IOMAP_INSTALL_HEADERS}
        FILES_MATCHING PATTERN "*.h" PATTERN "ext4" EXCLUDE PATTERN "xfs" EXCLUDE)

install(FILES tests/examples/CMakeLists.txt tests/examples/counters.cc
        DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)

if(IOMAP_BUILD_TESTS)
  set_target_properties(iomap_conformance_tests PROPERTIES EXPORT_NAME conformance_tests)
  set_target_properties(iomap_conformance PROPERTIES EXPORT_NAME conformance)
  install(TARGETS iomap_conformance_tests iomap_conformance EXPORT iomap_conformance)
  install(EXPORT iomap_conformance NAMESPACE iomap:: DESTINATION ${package_folder}
          FILE iomap-conformance.cmake)
endif()

write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/iomap-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_SOURCE_DIR}/cmake/iomap-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/iomap-config-version.cmake
        DESTINATION ${package_folder})
