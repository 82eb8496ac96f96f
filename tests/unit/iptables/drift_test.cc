// SPDX-License-Identifier: Apache-2.0
#include "iptables/drift.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_kernel_table.h"
#include "tests/unit/iptables/encoded_rules.h"

namespace felix::iptables {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Describe(std::vector<Operation> repair, std::size_t most = 20) {
  return DescribeDrift(Transaction{std::move(repair)}, testing::EmptyTable(ir::Table::kFilter),
                       most);
}

TEST(DescribeDrift, SaysNothingOfATableThatIsAsItWas) {
  EXPECT_THAT(Describe({}), IsEmpty());
}

TEST(DescribeDrift, NamesChainsThatWereDeletedOrAdded) {
  EXPECT_THAT(Describe({CreateChain{"cali-x"}, InsertRule{"cali-x", 0, {}},
                        InsertRule{"cali-x", 1, {}}, FlushChain{"cali-y"}, DeleteChain{"cali-y"}}),
              ElementsAre("chain cali-x was deleted", "chain cali-y was added"));
}

TEST(DescribeDrift, TellsDeletedAddedAndChangedRulesApart) {
  EXPECT_THAT(Describe({InsertRule{"cali-x", 0, {}}, InsertRule{"cali-x", 4, {}},
                        DeleteRule{"cali-y", 0}, ReplaceRule{"cali-z", 0, {}},
                        InsertRule{"cali-w", 0, {}}, DeleteRule{"cali-w", 1}}),
              ElementsAre("rules of chain cali-x were deleted: 2", "rules were added to cali-y: 1",
                          "rules of chain cali-z were changed or moved",
                          "rules of chain cali-w were changed or moved"));
}

TEST(DescribeDrift, SpeaksOfOurRulesInChainsOfOthers) {
  EXPECT_THAT(
      Describe({InsertRule{"FORWARD", 0, {}}, InsertRule{"INPUT", 0, {}}, DeleteRule{"INPUT", 2}}),
      ElementsAre("our rules in FORWARD were deleted: 1",
                  "our rules in INPUT were changed or moved"));
}

TEST(DescribeDrift, EndsALongList) {
  EXPECT_THAT(Describe({CreateChain{"cali-a"}, CreateChain{"cali-b"}, CreateChain{"cali-c"},
                        CreateChain{"cali-d"}},
                       2),
              ElementsAre("chain cali-a was deleted", "chain cali-b was deleted",
                          "2 more operations to repair it"));
}

}  // namespace
}  // namespace felix::iptables
