// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "gtest/gtest.h"

#include "compiler/options.h"

namespace felix::testing {

// For suites that hold whichever way containers are told apart.
inline auto BothLayouts() {
  return ::testing::Values(compiler::ChainLayout::kPerContainer, compiler::ChainLayout::kShared);
}

inline std::string LayoutName(const ::testing::TestParamInfo<compiler::ChainLayout>& info) {
  return info.param == compiler::ChainLayout::kShared ? "Shared" : "PerContainer";
}

}  // namespace felix::testing
