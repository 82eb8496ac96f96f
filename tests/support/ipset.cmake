# SPDX-License-Identifier: Apache-2.0
add_library(felix_test_fake_kernel_sets STATIC fake_kernel_sets.cc)
target_link_libraries(felix_test_fake_kernel_sets PUBLIC felix::ipset PRIVATE felix_options)
target_include_directories(felix_test_fake_kernel_sets PUBLIC ${PROJECT_SOURCE_DIR})
