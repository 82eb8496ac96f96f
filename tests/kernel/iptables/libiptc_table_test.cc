// SPDX-License-Identifier: Apache-2.0
#include "iptables/libiptc_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "fmt/format.h"

#include "tests/kernel/iptables/legacy_tools.h"
#include "tests/support/network_namespace.h"
#include "tests/unit/iptables/kernel_table_suite.h"

namespace felix::testing {
namespace {

class KernelEnvironment {
 public:
  static bool Prepare() {
    if (!HasRoot()) {
      if (std::getenv("CI") != nullptr) ADD_FAILURE() << "kernel tests need root";
      return false;
    }
    EnterFreshNetworkNamespace();
    return true;
  }
  iptables::KernelTable& table() { return table_; }
  static void Append(const std::string& chain, const std::string& source,
                     iptables::Counters counters) {
    AppendWithoutLock(chain, source, counters);
  }
  static void SetPolicy(const std::string& chain, const std::string& policy) {
    RunTool(fmt::format("iptables-legacy -P {} {}", chain, policy));
  }

 private:
  iptables::LibiptcTable table_{
      model::IpFamily::kV4,
      ir::Table::kFilter,
      {.timeout = std::chrono::milliseconds(50), .probe_interval = std::chrono::milliseconds(5)}};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Kernel, KernelTableSuite, KernelEnvironment);

TEST(LibiptcTable, RefusesAnExtensionWhoseNameAChainBears) {
  FELIX_REQUIRE_ROOT();
  EnterFreshNetworkNamespace();
  iptables::LibiptcTable table(model::IpFamily::kV4, ir::Table::kFilter);
  {
    auto session = table.Open();
    ASSERT_TRUE(session.ok()) << session.status();
    ASSERT_TRUE((*session)->Commit({{iptables::CreateChain{"MARK"}}}).ok());
  }
  const auto rule = iptables::Encode(MarkRule(1, ir::SetMark{.value = 1, .mask = 1}),
                                     model::IpFamily::kV4, NoSets);
  auto session = table.Open();
  const auto status = (*session)->Commit({{iptables::InsertRule{"INPUT", 0, *rule}}});
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
}

TEST(LibiptcTable, SaysThatTheKernelRefusedARuleOrItsSet) {
  FELIX_REQUIRE_ROOT();
  EnterFreshNetworkNamespace();
  iptables::LibiptcTable table(model::IpFamily::kV6, ir::Table::kFilter);
  ir::Rule rule = MarkRule(1);
  rule.matches.emplace_back(ir::SetMatch{.set_id = "gone"});
  const auto encoded = iptables::Encode(rule, model::IpFamily::kV6, [](const ir::SetKey&) {
    return absl::StatusOr<std::uint16_t>(std::uint16_t{4000});
  });
  auto session = table.Open();
  ASSERT_TRUE(session.ok()) << session.status();
  const auto status = (*session)->Commit({{iptables::InsertRule{"INPUT", 0, *encoded}}});
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
}

TEST(LibiptcTable, RefusesALoop) {
  FELIX_REQUIRE_ROOT();
  EnterFreshNetworkNamespace();
  iptables::LibiptcTable table(model::IpFamily::kV4, ir::Table::kFilter);
  auto session = table.Open();
  ASSERT_TRUE(session.ok()) << session.status();
  const auto status =
      (*session)->Commit({{iptables::CreateChain{"cali-a"}, iptables::CreateChain{"cali-b"},
                           iptables::InsertRule{"cali-a", 0, JumpTo("cali-b")},
                           iptables::InsertRule{"cali-b", 0, JumpTo("cali-a")},
                           iptables::InsertRule{"INPUT", 0, JumpTo("cali-a")}}});
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
}

}  // namespace
}  // namespace felix::testing
