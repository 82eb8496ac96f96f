// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "fmt/format.h"

#include "model/base/strings.h"

namespace felix::ipset {

// Collects what went wrong in a call that goes on with the rest; the first failure gives the code
// and the message.
class Failures {
 public:
  void Add(absl::Status status) {
    if (count_++ == 0) first_ = std::move(status);
  }
  [[nodiscard]] absl::Status status() const {
    if (count_ < 2) return first_;
    return {first_.code(),
            fmt::format("{} (and {} more failures)", ToStd(first_.message()), count_ - 1)};
  }

 private:
  std::size_t count_ = 0;
  absl::Status first_;
};

}  // namespace felix::ipset
