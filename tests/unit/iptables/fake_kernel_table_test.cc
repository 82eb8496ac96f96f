// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_kernel_table.h"

#include <gtest/gtest.h>

#include "tests/unit/iptables/kernel_table_suite.h"

namespace felix::testing {
namespace {

class FakeEnvironment {
 public:
  static bool Prepare() { return true; }
  iptables::KernelTable& table() { return table_; }
  void Append(const std::string& chain, const std::string& source, iptables::Counters counters) {
    const ir::Rule rule{.matches = {ir::AddressMatch{.net = *model::Cidr::Parse(source)}},
                        .action = ir::Accept{},
                        .provenance = {}};
    table_.ChangeUnlocked([&](iptables::TableContent& content) {
      ChainOf(content, chain)
          .rules.push_back(
              InKernel(*iptables::Encode(rule, model::IpFamily::kV4, NoSets), counters));
    });
  }
  void SetPolicy(const std::string& chain, const std::string& policy) {
    table_.ChangeUnlocked(
        [&](iptables::TableContent& content) { ChainOf(content, chain).policy = policy; });
  }

 private:
  FakeKernelTable table_{ir::Table::kFilter};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Fake, KernelTableSuite, FakeEnvironment);

}  // namespace
}  // namespace felix::testing
