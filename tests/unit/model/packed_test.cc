// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "model/packed_map.h"

namespace felix::model {
namespace {

using std::string_literals::operator""s;

IpAddress Address(std::string_view text) {
  return IpAddress::Parse(text).value();
}
Cidr Net(std::string_view text) {
  return Cidr::Parse(text).value();
}
Selector Select(std::string_view text) {
  return Selector::Parse(text).value();
}

WorkloadEndpoint FullEndpoint() {
  WorkloadEndpoint endpoint;
  endpoint.admin_up = false;
  endpoint.interface_name = "cali1";
  endpoint.addresses = {Address("10.0.0.1"), Address("fd00::1")};
  endpoint.labels = {{"a", "1"}, {"b", ""}};
  endpoint.profiles = {"p", "q"};
  endpoint.ports = {{.name = "http", .protocol = kTcp, .port = 65535}};
  endpoint.allow_spoofed_source_prefixes = {Net("0.0.0.0/0"), Net("fd00::/128"), Net("::/0")};
  endpoint.nat_mappings = {{.internal = Address("10.0.0.1"), .external = Address("1.2.3.4")}};
  return endpoint;
}

EntityMatch FullSide() {
  EntityMatch side;
  side.nets = {Net("10.0.0.0/8")};
  side.not_nets = {Net("10.1.0.0/16"), Net("fd00::/64")};
  side.selector = Select("a == '1' && !has(b)");
  side.not_selector = Select("all()");
  side.ports = {.ranges = {{0, 1}, {300, 65535}}, .names = {"http", ""}};
  side.not_ports.names = {"x"};
  return side;
}

Policy FullPolicy() {
  PolicyRule rule;
  rule.action = RuleAction::kPass;
  rule.ip_version = IpFamily::kV6;
  rule.protocol = kTcp;
  rule.not_protocol = Protocol{255};
  rule.icmp = IcmpMatch{.type = 254, .code = 255};
  rule.not_icmp = IcmpMatch{.type = 0, .code = {}};
  rule.source = FullSide();
  rule.destination.selector = Select("c in {'x', 'y'}");
  Policy policy;
  policy.tier = "t";
  policy.order = -1.5;
  policy.selector = Select("has(a)");
  policy.ingress_applies = false;
  policy.ingress = {rule, PolicyRule{}};
  policy.egress = {PolicyRule{}, rule};
  policy.do_not_track = policy.apply_on_forward = true;
  return policy;
}

TEST(PackedMap, GivesBackEveryPartOfAValue) {
  PackedMap<WorkloadEndpointId, WorkloadEndpoint> endpoints;
  const WorkloadEndpoint endpoint = FullEndpoint();
  EXPECT_TRUE(endpoints.Assign({"h", "k8s", "n/p", "eth0"}, &endpoint));
  EXPECT_EQ(endpoints.at({"h", "k8s", "n/p", "eth0"}), endpoint);
  const WorkloadEndpoint bare;
  EXPECT_TRUE(endpoints.Assign({"h", "k8s", "n/p", "eth0"}, &bare));
  EXPECT_EQ(endpoints.at({"h", "k8s", "n/p", "eth0"}), bare);

  PackedMap<PolicyId, Policy> policies;
  const PolicyId id{PolicyKind::kStagedNetworkPolicy, "n", "p"};
  const Policy policy = FullPolicy();
  EXPECT_TRUE(policies.Assign(id, &policy));
  EXPECT_EQ(policies.at(id), policy);
  EXPECT_EQ(policies.begin()->first, id);

  PackedMap<NetworkSetId, NetworkSet> sets;
  const NetworkSet set{.nets = {Net("0.0.0.0/0"), Net("::/0")}, .labels = {}, .profiles = {"p"}};
  EXPECT_TRUE(sets.Assign({"", "s"}, &set));
  EXPECT_EQ(sets.at({"", "s"}), set);

  PackedMap<ProfileId, Profile> profiles;
  const Profile profile{
      .labels_to_apply = {{"a", "1"}}, .ingress = policy.ingress, .egress = {PolicyRule{}}};
  EXPECT_TRUE(profiles.Assign({"p"}, &profile));
  EXPECT_EQ(profiles.at({"p"}), profile);
}

TEST(PackedMap, TellsWhetherAnythingChanged) {
  PackedMap<PolicyId, Policy> policies;
  const PolicyId id{PolicyKind::kGlobalNetworkPolicy, "", "p"};
  Policy policy = FullPolicy();
  EXPECT_FALSE(policies.Assign(id, nullptr));
  EXPECT_TRUE(policies.Assign(id, &policy));
  EXPECT_FALSE(policies.Assign(id, &policy));
  policy.egress[1].source.selector = Select("a == '2'");
  EXPECT_TRUE(policies.Assign(id, &policy));
  EXPECT_EQ(policies.at(id), policy);
  EXPECT_TRUE(policies.Assign(id, nullptr));
  EXPECT_TRUE(policies.empty());
  EXPECT_EQ(policies.begin(), policies.end());
}

TEST(PackedMap, WalksInTheOrderOfTheKeys) {
  const std::vector<std::string> texts = {"",      "a",  "a\0"s, "a\0\1"s,  "a\0\xff"s,
                                          "a\1",   "ab", "a/b",  "\xff"s,   "\0"s,
                                          "\0\0"s, "-",  "node", "node-10", "node-9"};
  PackedMap<WorkloadEndpointId, WorkloadEndpoint> endpoints;
  std::vector<WorkloadEndpointId> ids;
  for (const std::string& first : texts) {
    for (const std::string& second : texts) {
      ids.push_back({first, second, "w", "e"});
      ids.push_back({"h", "o", first, second});
    }
  }
  const WorkloadEndpoint endpoint;
  for (const WorkloadEndpointId& id : ids) endpoints.Assign(id, &endpoint);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  std::vector<WorkloadEndpointId> walked;
  for (const auto& [id, value] : endpoints) walked.push_back(id);
  EXPECT_EQ(walked, ids);
  endpoints.Assign(ids.front(), nullptr);
  EXPECT_EQ(endpoints.begin()->first, ids[1]) << "a walk knows of keys that went";
}

TEST(PackedMap, KnowsAKeyByOneNumberAsLongAsItIsThere) {
  PackedMap<ProfileId, Profile> profiles;
  Profile profile;
  profiles.Reserve(2);
  const auto a = profiles.Assign({"a"}, &profile).number;
  const auto b = profiles.Assign({"b"}, &profile).number;
  EXPECT_NE(a, b);
  profile.labels_to_apply = {{"x", "1"}};
  EXPECT_EQ(profiles.Assign({"a"}, &profile).number, a);
  EXPECT_EQ(profiles.Assign({"a"}, &profile).number, a);
  EXPECT_EQ(profiles.NumberOf({"b"}), b);
  EXPECT_EQ(profiles.KeyAt(a), ProfileId{"a"});
  EXPECT_EQ(profiles.Assign({"a"}, nullptr).number, a);
  EXPECT_EQ(profiles.Assign({"c"}, &profile).number, a) << "numbers are given out again";
  EXPECT_EQ(profiles.KeyAt(a), ProfileId{"c"});
  EXPECT_EQ(profiles.at({"b"}), Profile{});
  EXPECT_DEATH(static_cast<void>(profiles.NumberOf({"a"})), "key that is gone");
}

TEST(PackedMap, ACopyIsOfItsOwn) {
  PackedMap<ProfileId, Profile> profiles;
  const Profile profile;
  profiles.Assign({"p"}, &profile);
  const PackedMap<ProfileId, Profile> copy = profiles;
  profiles.Assign({"p"}, nullptr);
  EXPECT_TRUE(copy.contains({"p"}));
  EXPECT_FALSE(profiles.contains({"p"}));
  profiles = copy;
  EXPECT_EQ(profiles.begin()->first, ProfileId{"p"});
  EXPECT_TRUE(copy.contains({"p"}));
}

TEST(PackedMap, ForgetsTheTextsOfWhatItForgot) {
  const std::size_t before = atoms::Count();
  {
    PackedMap<WorkloadEndpointId, WorkloadEndpoint> endpoints;
    WorkloadEndpoint endpoint = FullEndpoint();
    endpoint.labels = {{"packed-test", "1"}};
    endpoints.Assign({"h", "o", "w", "e"}, &endpoint);
    endpoint.labels = {{"packed-test", "2"}};
    endpoints.Assign({"h", "o", "w", "e"}, &endpoint);
    endpoint.labels = {};
    EXPECT_EQ(atoms::Find("1"), 0U);
    EXPECT_EQ(atoms::Count(), before + 2);
  }
  EXPECT_EQ(atoms::Count(), before);
}

}  // namespace
}  // namespace felix::model
