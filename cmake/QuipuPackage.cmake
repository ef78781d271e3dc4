# Two Debian packages by `cpack -G DEB` in the build folder. quipu: the component `runtime`, and `service`,
# which only a package installs: units and configuration at their fixed places. libquipu-dev: the component
# `development`, the SDK as static libraries, so it depends on what it links with and not on quipu.
if(NOT TARGET quipu_cli)
  return()
endif()
install(FILES ${PROJECT_SOURCE_DIR}/deploy/systemd/quipu-broker.service
              ${PROJECT_SOURCE_DIR}/deploy/systemd/quipu-controller.service
        DESTINATION /lib/systemd/system COMPONENT service EXCLUDE_FROM_ALL)
install(FILES ${PROJECT_SOURCE_DIR}/deploy/conf/broker.conf ${PROJECT_SOURCE_DIR}/deploy/conf/controller.conf
        DESTINATION /etc/quipu COMPONENT service EXCLUDE_FROM_ALL)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME quipu)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "The Quipu developers <quipu@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "replicated partitioned log for ordered payment streams")
set(CPACK_COMPONENTS_ALL runtime service development)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_SERVER_PACKAGE_NAME quipu)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libquipu-dev)
# Paths are absolute, /etc among them.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_SERVER_PACKAGE_SECTION database)
set(CPACK_DEBIAN_SERVER_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_SERVER_PACKAGE_DEPENDS "adduser")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
    "libgrpc++-dev, libprotobuf-dev, libabsl-dev, liblz4-dev, libzstd-dev, zlib1g-dev, libsnappy-dev, pkg-config")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
file(WRITE ${PROJECT_BINARY_DIR}/debian/conffiles "/etc/quipu/broker.conf\n/etc/quipu/controller.conf\n")
set(CPACK_DEBIAN_SERVER_PACKAGE_CONTROL_EXTRA
    ${PROJECT_SOURCE_DIR}/deploy/debian/postinst ${PROJECT_SOURCE_DIR}/deploy/debian/prerm
    ${PROJECT_SOURCE_DIR}/deploy/debian/postrm ${PROJECT_BINARY_DIR}/debian/conffiles)
include(CPack)
cpack_add_component(runtime GROUP server)
cpack_add_component(service GROUP server)
cpack_add_component(development GROUP development)
cpack_add_component_group(server DESCRIPTION "programs, manual pages, completions and systemd units")
cpack_add_component_group(development DESCRIPTION "headers, static libraries, examples and documentation of the SDK")
