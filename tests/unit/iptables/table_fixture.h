// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"

#include "iptables/table.h"
#include "tests/support/fake_kernel_table.h"

namespace felix::iptables {

// The filter table of IPv4 over a fake kernel. A set is there if it has a number in `sets_`.
class TableFixture : public ::testing::Test {
 protected:
  std::map<std::string, std::uint16_t> sets_;
  testing::FakeKernelTable kernel_{ir::Table::kFilter};
  Table table_{model::IpFamily::kV4,
               ir::Table::kFilter,
               kernel_,
               [this](const ir::SetKey& key) -> absl::StatusOr<std::uint16_t> {
                 const auto it = sets_.find(key.id);
                 if (it == sets_.end()) return absl::NotFoundError("set " + key.id + " is missing");
                 return it->second;
               },
               HookPlacement::kInsert,
               Table::Retry{.attempts = 4, .first_pause = std::chrono::milliseconds(0)}};
};

}  // namespace felix::iptables
