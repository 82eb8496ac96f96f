# SPDX-License-Identifier: Apache-2.0
add_library(felix_test_oracle STATIC builders.cc interpreter.cc packet.cc packet_samples.cc
  random_cluster.cc random_resources.cc shapes.cc snapshot_generator.cc)
target_link_libraries(felix_test_oracle PUBLIC felix::ir felix::model PRIVATE felix_options)
target_include_directories(felix_test_oracle PUBLIC ${PROJECT_SOURCE_DIR})

add_library(felix_test_packet_tester STATIC packet_bytes.cc packet_sockets.cc packet_tester.cc)
target_link_libraries(felix_test_packet_tester PUBLIC felix_test_oracle felix_test_netns
  PRIVATE felix_options)
target_include_directories(felix_test_packet_tester PUBLIC ${PROJECT_SOURCE_DIR})
