// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "iptables/kernel_table.h"
#include "tests/support/fake_kernel_table.h"
#include "tests/unit/iptables/encoded_rules.h"

// What every KernelTable does, asked of the fake and of the kernel alike, so that the fake cannot
// lie. An Environment is a fresh IPv4 filter table:
//   bool Prepare();  false: cannot run here, and the test is skipped
//   iptables::KernelTable& table();
//   void Append(chain, source, counters);  another program, which ignores the lock, appends a rule
//   void SetPolicy(chain, policy);
namespace felix::testing {

template <typename Environment>
class KernelTableSuite : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!environment_.Prepare()) GTEST_SKIP() << "needs root";
  }

  iptables::TableContent Read() {
    auto session = environment_.table().Open();
    EXPECT_TRUE(session.ok()) << session.status();
    return session.ok() ? (*session)->content() : iptables::TableContent{};
  }
  absl::Status Commit(std::vector<iptables::Operation> operations) {
    auto session = environment_.table().Open();
    if (!session.ok()) return session.status();
    return (*session)->Commit({std::move(operations)});
  }

  Environment environment_;
};
TYPED_TEST_SUITE_P(KernelTableSuite);

TYPED_TEST_P(KernelTableSuite, ReadsBuiltinChainsAndPolicies) {
  this->environment_.SetPolicy("FORWARD", "DROP");
  EXPECT_EQ(Dump(this->Read()), ":INPUT ACCEPT\n:FORWARD DROP\n:OUTPUT ACCEPT\n");
}

TYPED_TEST_P(KernelTableSuite, GivesBackWhatWasWritten) {
  ASSERT_TRUE(this->Commit({iptables::CreateChain{"cali-b"}, iptables::CreateChain{"cali-a"},
                            iptables::InsertRule{"cali-a", 0, Numbered(1)},
                            iptables::InsertRule{"cali-a", 0, Numbered(2)},
                            iptables::InsertRule{"cali-a", 2, JumpTo("cali-b")},
                            iptables::InsertRule{"FORWARD", 0, Tagged(3)},
                            iptables::InsertRule{"FORWARD", 0, JumpTo("cali-a")}})
                  .ok());
  auto content = this->Read();
  EXPECT_EQ(Dump(content),
            ":INPUT ACCEPT\n:FORWARD ACCEPT\n0 cali-a\ntagged 3 ACCEPT\n:OUTPUT ACCEPT\n"
            ":cali-a \n2 ACCEPT\n1 ACCEPT\n0 cali-b\n:cali-b \n");
  EXPECT_EQ(ChainOf(content, "cali-a").rules[0].rule, Numbered(2));
  EXPECT_EQ(ChainOf(content, "cali-a").rules[2].rule, JumpTo("cali-b"));
  EXPECT_EQ(ChainOf(content, "FORWARD").rules[1].rule, Tagged(3));
}

TYPED_TEST_P(KernelTableSuite, ChangesAndDeletesAtPositions) {
  ASSERT_TRUE(
      this->Commit({iptables::CreateChain{"cali-a"}, iptables::InsertRule{"cali-a", 0, Numbered(1)},
                    iptables::InsertRule{"cali-a", 1, Numbered(2)},
                    iptables::InsertRule{"cali-a", 2, Numbered(3)}})
          .ok());
  ASSERT_TRUE(this->Commit({iptables::ReplaceRule{"cali-a", 1, Numbered(4)},
                            iptables::DeleteRule{"cali-a", 0}})
                  .ok());
  auto content = this->Read();
  const auto& rules = ChainOf(content, "cali-a").rules;
  ASSERT_EQ(rules.size(), 2U);
  EXPECT_EQ(rules[0].rule, Numbered(4));
  EXPECT_EQ(rules[1].rule, Numbered(3));
  ASSERT_TRUE(this->Commit({iptables::FlushChain{"cali-a"}, iptables::DeleteChain{"cali-a"}}).ok());
  EXPECT_EQ(this->Read().chains.size(), 3U);
}

TYPED_TEST_P(KernelTableSuite, RefusesImpossibleOperationsAndThenWritesNothing) {
  ASSERT_TRUE(this->Commit({iptables::CreateChain{"cali-a"}, iptables::CreateChain{"cali-b"},
                            iptables::InsertRule{"cali-a", 0, JumpTo("cali-b")}})
                  .ok());
  const std::string before = Dump(this->Read());
  const std::vector<iptables::Operation> impossible = {
      iptables::InsertRule{"cali-a", 0, JumpTo("cali-missing")},
      iptables::ReplaceRule{"cali-a", 0, JumpTo("cali-missing")},
      iptables::InsertRule{"cali-a", 0, JumpTo("OUTPUT")},
      iptables::InsertRule{"cali-missing", 0, Numbered(1)},
      iptables::InsertRule{"cali-a", 2, Numbered(1)},
      iptables::ReplaceRule{"cali-a", 1, Numbered(1)},
      iptables::DeleteRule{"cali-a", 1},
      iptables::FlushChain{"cali-missing"},
      iptables::CreateChain{"cali-a"},
      iptables::CreateChain{std::string(32, 'x')},
      iptables::DeleteChain{"cali-missing"},
      iptables::DeleteChain{"cali-a"},  // not empty
      iptables::DeleteChain{"cali-b"},  // in use
      iptables::DeleteChain{"INPUT"},
  };
  for (std::size_t i = 0; i < impossible.size(); ++i) {
    const auto status =
        this->Commit({iptables::InsertRule{"INPUT", 0, Numbered(9)}, impossible[i]});
    // libiptc's codes differ where a chain is missing; that it refuses does not.
    EXPECT_TRUE(absl::IsInvalidArgument(status) || absl::IsFailedPrecondition(status))
        << i << ": " << status;
  }
  EXPECT_EQ(Dump(this->Read()), before);
}

TYPED_TEST_P(KernelTableSuite, KeepsCountersOfRulesThatStay) {
  this->environment_.Append("OUTPUT", "10.0.0.1", {.packets = 5, .bytes = 500});
  this->environment_.Append("OUTPUT", "10.0.0.2", {.packets = 6, .bytes = 600});
  ASSERT_TRUE(this->Commit({iptables::InsertRule{"OUTPUT", 1, Numbered(1)},
                            iptables::InsertRule{"OUTPUT", 0, Numbered(2)}})
                  .ok());
  auto content = this->Read();
  const auto& rules = ChainOf(content, "OUTPUT").rules;
  ASSERT_EQ(rules.size(), 4U);
  EXPECT_EQ(rules[1].counters, (iptables::Counters{.packets = 5, .bytes = 500}));
  EXPECT_EQ(rules[3].counters, (iptables::Counters{.packets = 6, .bytes = 600}));
  EXPECT_EQ(rules[0].counters, iptables::Counters{});
}

TYPED_TEST_P(KernelTableSuite, RefusesToWriteFromAStaleReading) {
  auto session = this->environment_.table().Open();
  ASSERT_TRUE(session.ok()) << session.status();
  this->environment_.Append("INPUT", "10.0.0.1", {});
  const auto status = (*session)->Commit({{iptables::InsertRule{"INPUT", 0, Numbered(1)}}});
  EXPECT_TRUE(absl::IsAborted(status)) << status;
  session->reset();
  auto content = this->Read();
  EXPECT_EQ(ChainOf(content, "INPUT").rules.size(), 1U);
}

TYPED_TEST_P(KernelTableSuite, LetsOneSessionInAtATime) {
  {
    const auto first = this->environment_.table().Open();
    ASSERT_TRUE(first.ok()) << first.status();
    EXPECT_TRUE(absl::IsUnavailable(this->environment_.table().Open().status()));
  }
  EXPECT_TRUE(this->environment_.table().Open().ok());
}

REGISTER_TYPED_TEST_SUITE_P(KernelTableSuite, ReadsBuiltinChainsAndPolicies,
                            GivesBackWhatWasWritten, ChangesAndDeletesAtPositions,
                            RefusesImpossibleOperationsAndThenWritesNothing,
                            KeepsCountersOfRulesThatStay, RefusesToWriteFromAStaleReading,
                            LetsOneSessionInAtATime);

}  // namespace felix::testing
