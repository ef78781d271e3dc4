# What `cmake --install` puts where. Two components: `runtime` (programs, manual pages, completions) and
# `development` (the SDK: headers, libraries, CMake package, pkg-config file, examples, docs).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

if(NOT TARGET quipu_cli)
  return()
endif()
install(TARGETS quipu_cli quipu_broker_program quipu_controller_program
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime)

# Manual pages from the programs' own --help, completions from the parser itself.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(made ${PROJECT_BINARY_DIR}/manual)
add_custom_command(
  OUTPUT ${made}/quipu.1 ${made}/quipu-broker.8 ${made}/quipu-controller.8 ${made}/quipu.bash ${made}/_quipu
  COMMAND ${CMAKE_COMMAND} -E make_directory ${made}
  COMMAND ${Python3_EXECUTABLE} -B ${PROJECT_SOURCE_DIR}/scripts/manual ${PROJECT_BINARY_DIR}/bin ${made}
  COMMAND quipu_cli completion bash > ${made}/quipu.bash
  COMMAND quipu_cli completion zsh > ${made}/_quipu
  DEPENDS quipu_cli quipu_broker_program quipu_controller_program ${PROJECT_SOURCE_DIR}/scripts/manual)
add_custom_target(quipu_manual ALL DEPENDS ${made}/quipu.1)
install(FILES ${made}/quipu.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT runtime)
install(FILES ${made}/quipu-broker.8 ${made}/quipu-controller.8
        DESTINATION ${CMAKE_INSTALL_MANDIR}/man8 COMPONENT runtime)
install(FILES ${made}/quipu.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
        RENAME quipu COMPONENT runtime)
install(FILES ${made}/_quipu DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions COMPONENT runtime)

# The SDK. Headers name each other from the repository's root, so they lie below include/quipu, which
# the package and the pkg-config file put on the search path. Private headers are not installed.
set(headers
    base/bytes.h base/error_code.h base/ids.h base/measure/latency.h base/strong_int.h base/time.h base/uuid.h
    client/admin.h client/client_settings.h client/config_map.h client/consumer.h client/monitor.h
    client/named_partition.h
    client/producer.h client/monitor/cluster_progress.h client/observe/interceptors.h
    client/observe/statistics.h
    core/client/client_types.h core/client/consumer_types.h core/record/record_batch.h
    core/request/log_messages.h)
foreach(header ${headers})
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES ${PROJECT_SOURCE_DIR}/${header}
          DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/quipu/${folder} COMPONENT development)
endforeach()
foreach(message message/admin message/client message/node record/metadata record/group)
  get_filename_component(folder ${message} DIRECTORY)
  install(FILES ${PROJECT_BINARY_DIR}/generated/proto/${message}.pb.h
          DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/quipu/proto/${folder} COMPONENT development)
endforeach()

# In the order in which a linker has to see them.
set(libraries quipu_client quipu_core_client quipu_core_request quipu_core_record quipu_runtime_grpc
              quipu_runtime quipu_proto_rpc quipu_proto_message quipu_base)
set_target_properties(quipu_client PROPERTIES EXPORT_NAME client)
install(TARGETS ${libraries} EXPORT quipu-targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/quipu)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/quipu)
install(EXPORT quipu-targets NAMESPACE quipu:: DESTINATION ${package} COMPONENT development)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/quipu-config.cmake.in
  ${PROJECT_BINARY_DIR}/quipu-config.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/quipu-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/quipu-config.cmake ${PROJECT_BINARY_DIR}/quipu-config-version.cmake
        DESTINATION ${package} COMPONENT development)

# The file finds the tree that it lies in, wherever that was installed.
file(RELATIVE_PATH PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
set(PC_LIBS)
foreach(library ${libraries})
  string(APPEND PC_LIBS " -l${library}")
endforeach()
configure_file(${PROJECT_SOURCE_DIR}/cmake/quipu.pc.in ${PROJECT_BINARY_DIR}/quipu.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/quipu.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
        COMPONENT development)

# Not payments/: it is built with parts of the product that are not installed.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/client/examples DESTINATION ${CMAKE_INSTALL_DOCDIR}
        COMPONENT development PATTERN payments EXCLUDE)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs
        COMPONENT development)
install(FILES ${PROJECT_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT development)
