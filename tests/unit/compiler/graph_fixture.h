// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <utility>

#include "gtest/gtest.h"

#include "compiler/graph.h"
#include "tests/support/builders.h"

namespace felix::compiler {

// A graph of this host, and the two things that can be said to it.
class GraphFixture : public ::testing::Test {
 protected:
  void Set(model::Key key, model::Resource value) { Hear({std::move(key), std::move(value)}); }
  void Remove(model::Key key) { Hear({std::move(key), std::nullopt}); }

  Graph graph_{testing::OptionsOfThisHost()};

 private:
  void Hear(const model::Update& update) { graph_.OnUpdates({&update, 1}); }
};

}  // namespace felix::compiler
