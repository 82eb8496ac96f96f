// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "fmt/format.h"
#include "gtest/gtest.h"

#include "datastore/source_tap.h"

namespace felix::datastore {

// Writes down what it hears.
class WordTap final : public SourceTap {
 public:
  void OnValue(std::string_view key, std::string_view) override { Add("set", key); }
  void OnRemoval(std::string_view key) override { Add("del", key); }
  void OnFile(std::string_view, std::string_view) override { ADD_FAILURE() << "no files here"; }
  void OnFileGone(std::string_view) override { ADD_FAILURE() << "no files here"; }
  void OnStepEnd(std::int64_t revision) override { words += fmt::format("end {}\n", revision); }
  std::string words;

 private:
  void Add(std::string_view what, std::string_view key) {
    words += fmt::format("{} {}\n", what, key.substr(key.rfind('/') + 1));
  }
};

}  // namespace felix::datastore
