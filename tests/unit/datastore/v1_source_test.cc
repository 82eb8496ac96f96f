// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "datastore/file_source.h"
#include "datastore/v3_selector.h"
#include "tests/unit/datastore/recording_sink.h"
#include "tests/unit/datastore/resource_directory.h"

namespace felix::datastore {
namespace {

using State = RecordingSink::State;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// What calico-mesos leaves behind for one container in the network group a.
constexpr std::string_view kMesosLines = R"(
{"key": "/calico/v1/Ready", "value": "true"}
{"key": "/calico/v1/config/InterfacePrefix", "value": "cali"}
{"key": "/calico/v1/config/ReportingIntervalSecs", "value": 0}
{"key": "/calico/v1/host/mesos-1/config/marker", "value": "created"}
{"key": "/calico/v1/host/mesos-1/bird_ip", "value": "172.24.197.101"}
{"key": "/calico/v1/ipam/v4/pool/192.168.0.0-16", "value": {"cidr": "192.168.0.0/16"}}
{"key": "/calico/v1/policy/profile/public/tags", "value": ["public"]}
{"key": "/calico/v1/policy/profile/public/labels", "value": "{}"}
{"key": "/calico/v1/policy/profile/public/rules", "value": "{\"id\": \"public\", \"inbound_rules\": [{\"action\": \"allow\"}], \"outbound_rules\": [{\"action\": \"allow\"}]}"}
{"key": "/calico/v1/policy/profile/a/tags", "value": ["a"]}
{"key": "/calico/v1/policy/profile/a/rules", "value": {"inbound_rules": [{"src_tag": "a"}], "outbound_rules": [{}]}}
{"key": "/calico/v1/policy/profile/default_mesos-1/tags", "value": ["default_mesos-1"]}
{"key": "/calico/v1/policy/profile/default_mesos-1/rules", "value": {"inbound_rules": [{"action": "allow", "src_net": "172.24.197.101/32"}], "outbound_rules": [{"action": "allow", "dst_net": "172.24.197.101/32"}]}}
{"key": "/calico/v1/host/mesos-1/workload/mesos/default%2fc1/endpoint/e1", "value": {"state": "active", "name": "cali5a1f0c2e3b4", "mac": "ea:8f:11:22:33:44", "profile_ids": ["default_mesos-1", "public", "a"], "ipv4_nets": ["192.168.1.5/32"], "ipv6_nets": [], "ipv4_gateway": "172.24.197.101", "ipv6_gateway": null}}
)";

constexpr std::string_view kSameInV3 = R"(
{apiVersion: projectcalico.org/v3, kind: FelixConfiguration, metadata: {name: default},
 spec: {interfacePrefix: cali, reportingInterval: 0s}}
---
{apiVersion: projectcalico.org/v3, kind: Profile, metadata: {name: public},
 spec: {labelsToApply: {public: ""}, ingress: [{action: Allow}], egress: [{action: Allow}]}}
---
{apiVersion: projectcalico.org/v3, kind: Profile, metadata: {name: a},
 spec: {labelsToApply: {a: ""}, ingress: [{action: Allow, source: {selector: has(a)}}],
        egress: [{action: Allow}]}}
---
{apiVersion: projectcalico.org/v3, kind: Profile, metadata: {name: default_mesos-1},
 spec: {labelsToApply: {default_mesos-1: ""},
        ingress: [{action: Allow, source: {nets: [172.24.197.101/32]}}],
        egress: [{action: Allow, destination: {nets: [172.24.197.101/32]}}]}}
---
{apiVersion: projectcalico.org/v3, kind: WorkloadEndpoint,
 metadata: {namespace: default, name: mesos--1-mesos-c1-e1},
 spec: {node: mesos-1, orchestrator: mesos, workload: c1, endpoint: e1,
        interfaceName: cali5a1f0c2e3b4, mac: "ea:8f:11:22:33:44", ipNetworks: [192.168.1.5/32],
        profiles: [default_mesos-1, public, a]}}
)";

class V1SourceTest : public ::testing::Test {
 protected:
  void Start() { ASSERT_TRUE(source_.Start(sink_).ok()); }
  State StartAndSync() {
    Start();
    EXPECT_TRUE(sink_.WaitUntil([](const State& s) { return s.in_sync_marks == 1; }));
    return sink_.Now();
  }

  ResourceDirectory directory_;
  RecordingSink sink_;
  FileSource source_{directory_.path().string()};
};

State StateOf(std::string_view file, std::string_view text) {
  const ResourceDirectory directory;
  directory.Replace(file, text);
  RecordingSink sink;
  FileSource source(directory.path().string());
  EXPECT_TRUE(source.Start(sink).ok());
  EXPECT_TRUE(sink.WaitUntil([](const State& s) { return s.in_sync_marks == 1; }));
  source.Stop();
  return sink.Now();
}

TEST(MesosData, MeansTheSameAsItsV3Counterpart) {
  const State v1 = StateOf("calico.json", kMesosLines);
  State v3 = StateOf("calico.yaml", kSameInV3);
  EXPECT_THAT(v1.refusals, IsEmpty());
  EXPECT_THAT(v3.refusals, IsEmpty());
  EXPECT_EQ(v1.store.profiles().size(), 4U);
  EXPECT_EQ(v1.store.endpoints().size(), 1U);
  EXPECT_EQ(v1.store.configs().size(), 1U);
  // The older store knows no namespaces, so its endpoint bears no label of one.
  auto [id, endpoint] = *v3.store.endpoints().begin();
  endpoint.labels.Erase(kNamespaceLabel);
  v3.store.Set({id, endpoint});
  EXPECT_EQ(v1.store.Snapshot(), v3.store.Snapshot());
}

TEST_F(V1SourceTest, ReadsEntriesFromAListAndAlone) {
  directory_.Replace("a.json",
                     R"([{"key": "/calico/v1/policy/tier/a/metadata", "value": {"order": 1}},
                         {"key": "/calico/v1/policy/tier/b/metadata", "value": "{\"order\": 2}"},
                         {"apiVersion": "projectcalico.org/v3", "kind": "Tier",
                          "metadata": {"name": "c"}, "spec": {"order": 3}}])");
  directory_.Replace("b.json", R"({"key": "/calico/v1/policy/tier/d/metadata",
                                   "value": {"order": 4}})");
  const State state = StartAndSync();
  EXPECT_TRUE(state.TierHasOrder("a", 1) && state.TierHasOrder("b", 2));
  EXPECT_TRUE(state.TierHasOrder("c", 3) && state.TierHasOrder("d", 4));
  EXPECT_THAT(state.refusals, IsEmpty());
}

TEST_F(V1SourceTest, JoinsTheKeysOfAProfileAcrossFiles) {
  directory_.Replace("a.json", R"({"key": "/calico/v1/policy/profile/p/tags", "value": ["t"]})");
  EXPECT_THAT(StartAndSync().refusals, SizeIs(1));
  directory_.Replace("b.json", R"({"key": "/calico/v1/policy/profile/p/rules", "value": {}})");
  EXPECT_TRUE(sink_.WaitUntil([](const State& s) { return s.refusals.empty(); }));
  const State state = sink_.Now();
  EXPECT_EQ(state.store.profiles().at({"p"}).labels_to_apply, (model::LabelSet{{"t", ""}}));
  directory_.Remove("b.json");
  EXPECT_TRUE(sink_.WaitUntil([](const State& s) { return !s.store.profiles().contains({"p"}); }));
}

TEST_F(V1SourceTest, PrefersTheV3ObjectAndNamesTheOther) {
  directory_.Replace("a.json",
                     R"([{"key": "/calico/v1/policy/tier/t/metadata", "value": {"order": 1}},
          {"key": "/calico/v1/policy/profile/p/tags", "value": ["t"]},
          {"key": "/calico/v1/policy/profile/p/rules", "value": {}}])");
  directory_.Replace("z.yaml", TierText("t", 2) + "---\n" +
                                   "{apiVersion: projectcalico.org/v3, kind: Profile, "
                                   "metadata: {name: p}, spec: {labelsToApply: {v3: x}}}\n");
  const State state = StartAndSync();
  EXPECT_TRUE(state.TierHasOrder("t", 2));
  EXPECT_EQ(state.store.profiles().at({"p"}).labels_to_apply, (model::LabelSet{{"v3", "x"}}));
  ASSERT_THAT(state.refusals, SizeIs(3));
  for (const auto& [id, refusal] : state.refusals) {
    EXPECT_THAT(refusal.object, HasSubstr("/calico/v1/policy/")) << id;
    EXPECT_THAT(refusal.origin, HasSubstr("/a.json:")) << id;
    EXPECT_THAT(refusal.reason, HasSubstr("already defined at")) << id;
    EXPECT_THAT(refusal.reason, HasSubstr("/z.yaml:")) << id;
  }
  directory_.Remove("z.yaml");
  EXPECT_TRUE(sink_.WaitUntil([](const State& s) { return s.TierHasOrder("t", 1); }));
  EXPECT_TRUE(sink_.WaitUntil([](const State& s) { return s.refusals.empty(); }));
}

TEST_F(V1SourceTest, NamesThePlaceOfWhatItRefuses) {
  directory_.Replace(
      "a.json",
      "{\"key\": \"/calico/v1/policy/tier/a/metadata\", \"value\": {}}\n"
      "{\"key\": \"/calico/v1/policy/tier/b/metadata\", \"value\": {\"order\": []}}\n"
      "{\"key\": \"/calico/v1/policy/tier/c/metadata\", \"value\": \"[]\"}\n"
      "{\"key\": \"/calico/v1/policy/tier/d/metadata\"}\n"
      "{\"key\": \"/calico/v1/policy/tier/e/metadata\", \"valu\": {}}\n"
      "{\"key\": \"/calico/v1/config/X\", \"value\": []}\n");
  const State state = StartAndSync();
  std::vector<std::string> texts;
  for (const auto& [id, refusal] : state.refusals) {
    texts.push_back(refusal.ToString().substr(directory_.path().string().size()));
  }
  const std::string tiers = "/calico/v1/policy/tier/";
  EXPECT_THAT(texts, ::testing::UnorderedElementsAre(
                         "/a.json:2:65: " + tiers + "b/metadata: order: is a list, not a number",
                         "/a.json:3:55: " + tiers + "c/metadata: is a list, not an object",
                         "/a.json:4:1: " + tiers + "d/metadata: value: missing",
                         "/a.json:5:54: " + tiers + "e/metadata: valu: unknown field",
                         "/a.json:6:41: /calico/v1/config/X: value is a list, not a text"));
}

TEST_F(V1SourceTest, KeepsWhatALineOfNonsenseIsIn) {
  directory_.Replace(
      "a.json", "{\"key\": \"/calico/v1/policy/tier/a/metadata\", \"value\": {\"order\": 1}}\n");
  ASSERT_TRUE(StartAndSync().TierHasOrder("a", 1));
  directory_.Replace("a.json",
                     "{\"key\": \"/calico/v1/policy/tier/a/metadata\", \"value\": {\"order\": 2}}\n"
                     "\n{\"key\": nonsense}\n");
  EXPECT_TRUE(sink_.WaitUntil([](const State& s) { return s.refusals.size() == 1; }));
  const State state = sink_.Now();
  EXPECT_TRUE(state.TierHasOrder("a", 1));
  EXPECT_THAT(state.refusals.begin()->second.origin, HasSubstr("/a.json:3:"));
}

TEST_F(V1SourceTest, DeliversNothingUntilTheStoreIsReady) {
  directory_.Replace("ready.json", R"({"key": "/calico/v1/Ready", "value": "false"})");
  directory_.Replace("a.yaml", TierText("a", 1));
  Start();
  ASSERT_TRUE(sink_.WaitUntil([](const State& s) { return s.losses.size() == 1; }));
  State state = sink_.Now();
  EXPECT_THAT(std::string(state.losses[0].message()), HasSubstr("not ready"));
  EXPECT_EQ(state.in_sync_marks, 0);
  EXPECT_THAT(state.batches, IsEmpty());

  directory_.Replace("ready.json", R"({"key": "/calico/v1/Ready", "value": true})");
  ASSERT_TRUE(sink_.WaitUntil([](const State& s) { return s.in_sync_marks == 1; }));
  EXPECT_TRUE(sink_.Now().TierHasOrder("a", 1));

  directory_.Replace("ready.json", R"({"key": "/calico/v1/Ready", "value": "no"})");
  ASSERT_TRUE(sink_.WaitUntil([](const State& s) { return s.losses.size() == 2; }));
  directory_.Remove("a.yaml");
  directory_.Replace("b.yaml", TierText("b", 1));
  directory_.Replace("ready.json", R"({"key": "/calico/v1/Ready", "value": "true"})");
  ASSERT_TRUE(sink_.WaitUntil([](const State& s) { return s.in_sync_marks == 2; }));
  state = sink_.Now();
  EXPECT_TRUE(state.TierHasOrder("b", 1));
  EXPECT_EQ(state.Tier("a"), nullptr);
}

}  // namespace
}  // namespace felix::datastore
