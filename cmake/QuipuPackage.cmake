# The Debian package, quipu_VERSION_ARCHITECTURE.deb: `cpack -G DEB` in the build folder. The component
# `runtime`, and `service`, which only a package installs: units and configuration at their fixed places.
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
set(CPACK_COMPONENTS_ALL runtime service)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
# Paths are absolute, /etc among them.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
file(WRITE ${PROJECT_BINARY_DIR}/debian/conffiles "/etc/quipu/broker.conf\n/etc/quipu/controller.conf\n")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${PROJECT_SOURCE_DIR}/deploy/debian/postinst ${PROJECT_SOURCE_DIR}/deploy/debian/prerm
    ${PROJECT_SOURCE_DIR}/deploy/debian/postrm ${PROJECT_BINARY_DIR}/debian/conffiles)
include(CPack)
