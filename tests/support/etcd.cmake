# SPDX-License-Identifier: Apache-2.0
add_library(felix_test_etcd STATIC certificates.cc etcd_cluster.cc etcd_server.cc
  random_etcd_writes.cc tcp_proxy.cc)
target_link_libraries(felix_test_etcd PUBLIC felix::datastore GTest::gtest
  PRIVATE felix_options absl::strings fmt::fmt)
target_include_directories(felix_test_etcd PUBLIC ${PROJECT_SOURCE_DIR})
