# SPDX-License-Identifier: Apache-2.0
add_library(felix_test_etcd STATIC etcd_server.cc)
target_link_libraries(felix_test_etcd PUBLIC felix::datastore GTest::gtest
  PRIVATE felix_options absl::strings fmt::fmt)
target_include_directories(felix_test_etcd PUBLIC ${PROJECT_SOURCE_DIR})
