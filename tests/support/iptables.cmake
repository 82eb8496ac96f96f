# SPDX-License-Identifier: Apache-2.0
add_library(felix_test_iptables STATIC fake_kernel_table.cc)
target_link_libraries(felix_test_iptables PUBLIC felix::iptables PRIVATE felix_options)
target_include_directories(felix_test_iptables PUBLIC ${PROJECT_SOURCE_DIR})
