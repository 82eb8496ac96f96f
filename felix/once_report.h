// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <map>
#include <string>

#include "felix/apply_report.h"
#include "felix/engine.h"

namespace felix {

// What a single run did beyond what the engine knows.
struct OnceFigures {
  ApplyReport changes;  // of all applies together
  std::chrono::microseconds read_time{};
  std::chrono::microseconds total_time{};
  std::map<std::string, std::size_t> ignored;  // objects that mean nothing to us, by kind

  void Add(const ApplyReport& report);
};

// One line of JSON without a line end; keys in a fixed order, times in microseconds.
[[nodiscard]] std::string OnceJson(const Engine& engine, const OnceFigures& figures);

}  // namespace felix
