// SPDX-License-Identifier: Apache-2.0
#include "compiler/emitter.h"

#include "gtest/gtest.h"

namespace felix::compiler {
namespace {

const ir::ChainKey kKey{
    .family = model::IpFamily::kV4, .table = ir::Table::kFilter, .name = "cali-pi-x"};

ir::Chain ChainThat(ir::Action action) {
  return {{ir::When().Then(std::move(action))}};
}

class EmitterTest : public ::testing::Test {
 protected:
  ir::DesiredDelta Flush() {
    ir::DesiredDelta delta;
    emitter_.Flush(delta);
    ir::Apply(delta, emitted_);
    return delta;
  }
  ir::DesiredState emitted_;
  Stats stats_;
  Emitter emitter_{emitted_, stats_};
};

TEST_F(EmitterTest, DropsWhatIsAsItWas) {
  emitter_.SetChain(kKey, "a", ChainThat(ir::Accept{}));
  EXPECT_EQ(Flush().chains.size(), 1U);
  emitter_.SetChain(kKey, "a", ChainThat(ir::Accept{}));
  EXPECT_TRUE(Flush().empty());
  EXPECT_EQ(stats_.emitter.suppressed, 1U);
  emitter_.RemoveChain(kKey, "a");
  emitter_.SetChain(kKey, "a", ChainThat(ir::Accept{}));
  EXPECT_TRUE(Flush().empty());
}

TEST_F(EmitterTest, ClosesANameThatTwoOwnersClaimUntilOneGoes) {
  emitter_.SetChain(kKey, "a", ChainThat(ir::Accept{}));
  static_cast<void>(Flush());
  emitter_.SetChain(kKey, "b", ChainThat(ir::Return{}));
  static_cast<void>(Flush());
  EXPECT_EQ(emitted_.chains.at(kKey).rules.front().action, ir::Action(ir::Drop{}));

  emitter_.SetChain(kKey, "a", ChainThat(ir::Accept{}));  // rendering anew opens nothing
  static_cast<void>(Flush());
  EXPECT_EQ(emitted_.chains.at(kKey).rules.front().action, ir::Action(ir::Drop{}));

  emitter_.RemoveChain(kKey, "a");
  static_cast<void>(Flush());
  EXPECT_EQ(emitted_.chains.at(kKey).rules.front().action, ir::Action(ir::Return{}));
  emitter_.RemoveChain(kKey, "b");
  static_cast<void>(Flush());
  EXPECT_TRUE(emitted_.chains.empty());
}

TEST_F(EmitterTest, ClashWithinOneFlushIsClosedToo) {
  emitter_.SetChain(kKey, "b", ChainThat(ir::Accept{}));
  emitter_.SetChain(kKey, "a", ChainThat(ir::Accept{}));
  EXPECT_EQ(Flush().chains.at(kKey).rules.front().action, ir::Action(ir::Drop{}));
}

}  // namespace
}  // namespace felix::compiler
