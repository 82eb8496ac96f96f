// SPDX-License-Identifier: Apache-2.0
#include "datastore/resource_table.h"

#include <optional>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/unit/datastore/decoding.h"

namespace felix::datastore {
namespace {

using model::Update;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string TierOf(std::string_view name, int order) {
  return ObjectYaml("Tier", fmt::format("{{name: {}}}", name), fmt::format("{{order: {}}}", order));
}

Update TierUpdate(std::string_view name, int order) {
  return {model::TierId{std::string(name)},
          model::Tier{static_cast<double>(order), model::TierDefaultAction::kDeny}};
}

const model::PolicyId kPolicyId{model::PolicyKind::kGlobalNetworkPolicy, "", "p"};

model::BrokenPolicy OnlyBrokenPolicy(const ResourceTable::Change& change) {
  EXPECT_EQ(change.updates.size(), 1U);
  if (change.updates.size() != 1 || !change.updates[0].value) return {};
  EXPECT_EQ(change.updates[0].key, model::Key(kPolicyId));
  const auto* broken = std::get_if<model::BrokenPolicy>(&*change.updates[0].value);
  EXPECT_NE(broken, nullptr);
  return broken == nullptr ? model::BrokenPolicy() : *broken;
}

class ResourceTableTest : public ::testing::Test {
 protected:
  ResourceTableTest() { static_cast<void>(table_.Commit()); }

  ResourceTable::Change Set(const std::string& file, std::string_view yaml) {
    table_.SetFile(file, "/d/" + file, DecodeAll(yaml));
    return table_.Commit();
  }
  ResourceTable::Change Remove(const std::string& file) {
    table_.RemoveFile(file);
    return table_.Commit();
  }

  ResourceTable table_;
};

TEST(ResourceTable, BeginsWithTheBuiltInResourcesInKeyOrder) {
  ResourceTable table;
  const ResourceTable::Change change = table.Commit();
  ASSERT_THAT(change.updates, SizeIs(4));
  EXPECT_EQ(change.updates[0].key, model::Key(model::TierId{"default"}));
  EXPECT_EQ(change.updates[3].key, model::Key(model::ProfileId{"projectcalico-default-allow"}));
  EXPECT_THAT(table.Commit().updates, IsEmpty());
}

TEST_F(ResourceTableTest, DeliversOnlyWhatDiffers) {
  EXPECT_THAT(Set("a.yaml", TierOf("x", 1) + "\n---\n" + TierOf("y", 2)).updates,
              ElementsAre(TierUpdate("x", 1), TierUpdate("y", 2)));
  EXPECT_THAT(Set("a.yaml", TierOf("y", 2) + "\n---\n" + TierOf("x", 1)).updates, IsEmpty());
  EXPECT_THAT(Set("a.yaml", TierOf("x", 1) + "\n---\n" + TierOf("y", 3)).updates,
              ElementsAre(TierUpdate("y", 3)));
  EXPECT_THAT(Set("a.yaml", TierOf("y", 3)).updates,
              ElementsAre(Update{model::TierId{"x"}, std::nullopt}));
  EXPECT_THAT(Remove("a.yaml").updates, ElementsAre(Update{model::TierId{"y"}, std::nullopt}));
  EXPECT_THAT(Remove("a.yaml").updates, IsEmpty());
}

TEST_F(ResourceTableTest, DeliversNothingForAnObjectThatMovesToAnotherFile) {
  Set("a.yaml", TierOf("x", 1));
  table_.RemoveFile("a.yaml");
  table_.SetFile("b.yaml", "/d/b.yaml", DecodeAll(TierOf("x", 1)));
  EXPECT_THAT(table_.Commit().updates, IsEmpty());
}

TEST_F(ResourceTableTest, PutsABuiltInResourceBackWhenItsDefinitionGoes) {
  EXPECT_THAT(Set("a.yaml", TierOf("default", 5)).updates, ElementsAre(TierUpdate("default", 5)));
  EXPECT_THAT(Remove("a.yaml").updates, ElementsAre(TierUpdate("default", 1'000'000)));
}

TEST_F(ResourceTableTest, GivesAnObjectToTheSmallestFile) {
  Set("b.yaml", TierOf("x", 2));
  const ResourceTable::Change taken = Set("a.yaml", TierOf("x", 1));
  EXPECT_THAT(taken.updates, ElementsAre(TierUpdate("x", 1)));
  ASSERT_THAT(taken.refusals, SizeIs(1));
  EXPECT_EQ(taken.refusals[0].first, "b.yaml#Tier x");
  ASSERT_TRUE(taken.refusals[0].second.has_value());
  EXPECT_EQ(taken.refusals[0].second->ToString(),
            "/d/b.yaml:1:1: Tier x: already defined at /d/a.yaml:1:1");

  const ResourceTable::Change given_back = Remove("a.yaml");
  EXPECT_THAT(given_back.updates, ElementsAre(TierUpdate("x", 2)));
  ASSERT_THAT(given_back.refusals, SizeIs(1));
  EXPECT_EQ(given_back.refusals[0].first, "b.yaml#Tier x");
  EXPECT_FALSE(given_back.refusals[0].second.has_value());
}

TEST_F(ResourceTableTest, GivesAnObjectToTheFirstOfItsFile) {
  const ResourceTable::Change change = Set("a.yaml", TierOf("x", 1) + "\n---\n" + TierOf("x", 2));
  EXPECT_THAT(change.updates, ElementsAre(TierUpdate("x", 1)));
  ASSERT_THAT(change.refusals, SizeIs(1));
  EXPECT_EQ(change.refusals[0].first, "a.yaml#Tier x#2");
}

TEST_F(ResourceTableTest, KeepsAnObjectAbsentWhoseFirstDefinitionIsRefused) {
  Set("b.yaml", TierOf("x", 2));
  const ResourceTable::Change change =
      Set("a.yaml", ObjectYaml("Tier", "{name: x}", "{order: first}"));
  EXPECT_THAT(change.updates, ElementsAre(Update{model::TierId{"x"}, std::nullopt}));
  EXPECT_THAT(change.refusals, SizeIs(2));
}

TEST_F(ResourceTableTest, TellsARefusalOnceAndThatItIsMended) {
  const std::string bad = ObjectYaml("Tier", "{name: x}", "{order: first}");
  EXPECT_THAT(Set("a.yaml", bad).refusals, SizeIs(1));
  EXPECT_THAT(Set("a.yaml", bad).refusals, IsEmpty());
  const ResourceTable::Change mended = Set("a.yaml", TierOf("x", 1));
  ASSERT_THAT(mended.refusals, SizeIs(1));
  EXPECT_EQ(mended.refusals[0].first, "a.yaml#Tier x");
  EXPECT_FALSE(mended.refusals[0].second.has_value());
}

TEST_F(ResourceTableTest, NamesObjectsThatHaveNoIdentity) {
  const ResourceTable::Change change = Set("a.yaml", "{kind: Pod}\n---\n{kind: Pod}\n---\n5");
  ASSERT_THAT(change.refusals, SizeIs(3));
  EXPECT_EQ(change.refusals[0].first, "a.yaml#");
  EXPECT_EQ(change.refusals[1].first, "a.yaml#Pod");
  EXPECT_EQ(change.refusals[2].first, "a.yaml#Pod#2");
  EXPECT_THAT(Remove("a.yaml").refusals, SizeIs(3));
}

TEST_F(ResourceTableTest, KeepsWhatAFileDefinedWhileItIsRefused) {
  Set("a.yaml", TierOf("x", 1));
  table_.SetFileRefusal("a.yaml", Refusal{"", "/d/a.yaml:3:1", "", "end of map not found"});
  const ResourceTable::Change broken = table_.Commit();
  EXPECT_THAT(broken.updates, IsEmpty());
  ASSERT_THAT(broken.refusals, SizeIs(1));
  EXPECT_EQ(broken.refusals[0].second->ToString(), "/d/a.yaml:3:1: end of map not found");
  const ResourceTable::Change removed = Remove("a.yaml");
  EXPECT_THAT(removed.updates, ElementsAre(Update{model::TierId{"x"}, std::nullopt}));
  ASSERT_THAT(removed.refusals, SizeIs(1));
  EXPECT_FALSE(removed.refusals[0].second.has_value());
}

TEST_F(ResourceTableTest, CountsIgnoredKinds) {
  Set("a.yaml", ObjectYaml("BGPPeer", "{name: a}", "{}") + "\n---\n" +
                    ObjectYaml("BGPPeer", "{name: b}", "{}") + "\n---\n" +
                    ObjectYaml("IPAMConfig", "{name: c}", "{}"));
  EXPECT_EQ(table_.ignored_kinds(),
            (absl::btree_map<std::string, std::size_t>{{"BGPPeer", 2}, {"IPAMConfig", 1}}));
  EXPECT_THAT(Set("a.yaml", ObjectYaml("IPAMConfig", "{name: c}", "{}")).updates, IsEmpty());
  EXPECT_EQ(table_.ignored_kinds(), (absl::btree_map<std::string, std::size_t>{{"IPAMConfig", 1}}));
}

TEST_F(ResourceTableTest, DeliversNothingForStagedPolicies) {
  EXPECT_THAT(Set("a.yaml", ObjectYaml("StagedGlobalNetworkPolicy", "{name: p}", "{}")).updates,
              IsEmpty());
}

TEST_F(ResourceTableTest, RemembersWhatABrokenPolicyLastCovered) {
  Set("a.yaml", GlobalPolicyYaml("{tier: sec, order: 5, selector: has(a), types: [Egress]}"));
  const model::BrokenPolicy broken = OnlyBrokenPolicy(
      Set("a.yaml", GlobalPolicyYaml("{tier: ops, selector: 'has(', types: [Nope]}")));
  EXPECT_EQ(broken.tier, "ops");
  EXPECT_EQ(broken.order, std::nullopt);
  ASSERT_TRUE(broken.selector.has_value());
  EXPECT_EQ(broken.selector->text(), "has(a)");
  EXPECT_FALSE(broken.ingress_applies);
  EXPECT_TRUE(broken.egress_applies);
}

TEST_F(ResourceTableTest, KnowsNothingOfAPolicyThatNeverWasLegible) {
  const model::BrokenPolicy broken =
      OnlyBrokenPolicy(Set("a.yaml", GlobalPolicyYaml("{selector: 'has(', tier: sec}")));
  EXPECT_EQ(broken.tier, "sec");
  EXPECT_FALSE(broken.selector.has_value());
}

TEST_F(ResourceTableTest, RemembersAPolicyBeyondItsRemoval) {
  Set("a.yaml", GlobalPolicyYaml("{selector: has(a)}"));
  EXPECT_THAT(Remove("a.yaml").updates, ElementsAre(Update{kPolicyId, std::nullopt}));
  const model::BrokenPolicy broken =
      OnlyBrokenPolicy(Set("b.yaml", GlobalPolicyYaml("{selector: 'has('}")));
  ASSERT_TRUE(broken.selector.has_value());
  EXPECT_EQ(broken.selector->text(), "has(a)");
}

TEST_F(ResourceTableTest, PutsAMendedPolicyBackInForce) {
  Set("a.yaml", GlobalPolicyYaml("{selector: 'has('}"));
  const ResourceTable::Change mended = Set("a.yaml", GlobalPolicyYaml("{selector: has(b)}"));
  ASSERT_THAT(mended.updates, SizeIs(1));
  EXPECT_TRUE(std::holds_alternative<model::Policy>(*mended.updates[0].value));
  ASSERT_THAT(mended.refusals, SizeIs(1));
  EXPECT_FALSE(mended.refusals[0].second.has_value());
}

}  // namespace
}  // namespace felix::datastore
