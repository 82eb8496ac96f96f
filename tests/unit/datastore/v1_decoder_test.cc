// SPDX-License-Identifier: Apache-2.0
#include "datastore/v1_decoder.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/unit/datastore/v1_decoding.h"

namespace felix::datastore {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string kProfile = "/calico/v1/policy/profile/netgroup_a/";
constexpr std::string_view kNetgroupRules =
    R"({"id":"netgroup_a","inbound_rules":[{"action":"allow","src_tag":"netgroup_a"}],
        "outbound_rules":[{"action":"allow"}]})";

class V1DecoderTest : public ::testing::Test {
 protected:
  // The one value that the change delivers, or none if it takes it away.
  template <typename T>
  std::optional<T> Only(const V1Decoded& decoded) {
    EXPECT_THAT(decoded.updates, SizeIs(1));
    if (decoded.updates.size() != 1 || !decoded.updates[0].value) return std::nullopt;
    EXPECT_TRUE(std::holds_alternative<T>(*decoded.updates[0].value));
    return std::get<T>(*decoded.updates[0].value);
  }
  // The reason of the one refusal that the change brings.
  std::string OnlyReason(const V1Decoded& decoded) {
    EXPECT_THAT(decoded.refusals, SizeIs(1));
    if (decoded.refusals.size() != 1 || !decoded.refusals[0].second) return {};
    return decoded.refusals[0].second->ToString();
  }

  V1Decoder decoder_;
};

TEST_F(V1DecoderTest, MakesAProfileOfItsThreeKeys) {
  const V1Decoded tags = decoder_.Decode(kProfile + "tags", R"(["netgroup_a", "both"])");
  EXPECT_THAT(tags.updates, IsEmpty());
  EXPECT_EQ(OnlyReason(tags),
            kProfile + "tags: the profile has no rules, so it does not exist and denies");

  const V1Decoded rules = decoder_.Decode(kProfile + "rules", kNetgroupRules);
  const auto profile = Only<model::Profile>(rules);
  ASSERT_TRUE(profile.has_value());
  EXPECT_EQ(rules.updates[0].key, model::Key(model::ProfileId{"netgroup_a"}));
  EXPECT_THAT(profile->labels_to_apply, (model::LabelSet{{"both", ""}, {"netgroup_a", ""}}));
  ASSERT_THAT(profile->ingress, SizeIs(1));
  EXPECT_EQ(profile->ingress[0].source.selector->text(), "has(netgroup_a)");
  EXPECT_EQ(profile->egress, std::vector<model::PolicyRule>(1));
  ASSERT_THAT(rules.refusals, SizeIs(1));
  EXPECT_FALSE(rules.refusals[0].second.has_value());

  const auto labelled =
      Only<model::Profile>(decoder_.Decode(kProfile + "labels", R"({"both": "x", "c": "d"})"));
  ASSERT_TRUE(labelled.has_value());
  EXPECT_EQ(labelled->labels_to_apply,
            (model::LabelSet{{"both", "x"}, {"c", "d"}, {"netgroup_a", ""}}));
}

TEST_F(V1DecoderTest, TakesAProfileAwayWhoseRulesAreGoneOrInvalid) {
  ASSERT_TRUE(Only<model::Profile>(decoder_.Decode(kProfile + "rules", kNetgroupRules)));
  const V1Decoded broken = decoder_.Decode(kProfile + "rules", R"({"inbound_rules": [{"x": 1}]})");
  EXPECT_FALSE(Only<model::Profile>(broken).has_value());
  EXPECT_EQ(OnlyReason(broken), kProfile + "rules: inbound_rules[0].x: unknown field");
  ASSERT_TRUE(Only<model::Profile>(decoder_.Decode(kProfile + "rules", kNetgroupRules)));
  EXPECT_FALSE(Only<model::Profile>(decoder_.Decode(kProfile + "labels", "{")).has_value());
  ASSERT_TRUE(Only<model::Profile>(decoder_.Decode(kProfile + "labels", std::nullopt)));
  EXPECT_FALSE(Only<model::Profile>(decoder_.Decode(kProfile + "rules", std::nullopt)));
}

TEST_F(V1DecoderTest, RemembersWhatABrokenPolicyCovered) {
  ASSERT_TRUE(Only<model::Policy>(
      decoder_.Decode(kV1Policy, R"({"selector": "has(a) ", "order": 5, "types": ["ingress"]})")));
  for (const std::string_view value : {"{", R"({"inbound_rules": [{"x": 1}]})", "[]"}) {
    const V1Decoded decoded = decoder_.Decode(kV1Policy, value);
    if (decoded.updates.empty()) continue;
    const auto broken = Only<model::BrokenPolicy>(decoded);
    ASSERT_TRUE(broken.has_value()) << value;
    EXPECT_EQ(broken->tier, "default");
    ASSERT_TRUE(broken->selector.has_value());
    EXPECT_EQ(broken->selector->text(), "has(a)");
  }
  EXPECT_FALSE(Only<model::BrokenPolicy>(decoder_.Decode(kV1Policy, std::nullopt)));
}

TEST_F(V1DecoderTest, KnowsTheTierOfAPolicyThatWasNeverLegible) {
  const auto broken =
      Only<model::BrokenPolicy>(decoder_.Decode("/calico/v1/policy/tier/sec/policy/p", "nonsense"));
  ASSERT_TRUE(broken.has_value());
  EXPECT_EQ(broken->tier, "sec");
  EXPECT_FALSE(broken->selector.has_value());
}

TEST_F(V1DecoderTest, JoinsTheParametersOfAConfiguration) {
  using model::ConfigParameters;
  static_cast<void>(decoder_.Decode("/calico/v1/config/InterfacePrefix", "cali"));
  EXPECT_EQ(Only<ConfigParameters>(decoder_.Decode("/calico/v1/config/IpInIpEnabled", "false")),
            (ConfigParameters{{{"InterfacePrefix", "cali"}, {"IpInIpEnabled", "false"}}}));
  const V1Decoded again = decoder_.Decode("/calico/v1/config/interfaceprefix", "tap");
  EXPECT_THAT(again.updates, IsEmpty());
  EXPECT_EQ(OnlyReason(again),
            "/calico/v1/config/interfaceprefix: already defined at "
            "/calico/v1/config/InterfacePrefix");
  EXPECT_EQ(Only<ConfigParameters>(decoder_.Decode("/calico/v1/config/InterfacePrefix", {})),
            (ConfigParameters{{{"IpInIpEnabled", "false"}, {"interfaceprefix", "tap"}}}));
}

TEST_F(V1DecoderTest, RemovesAllBelowADirectory) {
  constexpr std::string_view kValue = R"({"state": "active", "name": "cali1"})";
  const std::string workload = "/calico/v1/host/h/workload/mesos/";
  for (const std::string_view rest : {"a/endpoint/1", "a/endpoint/2", "ab/endpoint/1"}) {
    ASSERT_TRUE(Only<model::WorkloadEndpoint>(
        decoder_.Decode(fmt::format("{}{}", workload, rest), kValue)));
  }
  const V1Decoded decoded = decoder_.DecodeRemovalBelow(workload + "a");
  ASSERT_THAT(decoded.updates, SizeIs(2));
  for (const model::Update& update : decoded.updates) {
    EXPECT_EQ(std::get<model::WorkloadEndpointId>(update.key).workload, "a");
    EXPECT_FALSE(update.value.has_value());
  }
  EXPECT_THAT(decoder_.DecodeRemovalBelow("/calico/v1/host/h/").updates, SizeIs(1));
}

TEST_F(V1DecoderTest, IsReadyOnlyWhileTheStoreSaysSo) {
  EXPECT_FALSE(decoder_.ready());
  static_cast<void>(decoder_.Decode("/calico/v1/Ready", "true"));
  EXPECT_TRUE(decoder_.ready());
  static_cast<void>(decoder_.Decode("/calico/v1/Ready", "false"));
  EXPECT_FALSE(decoder_.ready());
  static_cast<void>(decoder_.Decode("/calico/v1/Ready", "true"));
  static_cast<void>(decoder_.DecodeRemovalBelow("/calico/v1"));
  EXPECT_FALSE(decoder_.ready());
}

}  // namespace
}  // namespace felix::datastore
