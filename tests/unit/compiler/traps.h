// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "compiler/graph.h"
#include "tests/support/builders.h"
#include "tests/support/interpreter.h"
#include "tests/unit/compiler/graph_fixture.h"

namespace felix::compiler {

// A host with one container, cali1 (10.0.0.1, fd00::1, label app=web), in a cluster where a
// stranger from outside, 192.0.2.1, knocks on TCP port 80. The traps are numbered situations in
// which a policy engine goes wrong.
class Traps : public GraphFixture {
 protected:
  Traps() { Set(testing::EndpointId("web"), Web()); }

  static model::WorkloadEndpoint Web(std::vector<std::string> profiles = {}) {
    return testing::Endpoint("cali1", {"10.0.0.1", "fd00::1"}, {{"app", "web"}},
                             std::move(profiles));
  }
  void SetPolicy(std::string_view name, std::vector<model::PolicyRule> rules,
                 std::string_view tier = "default", std::optional<double> order = {}) {
    model::Policy policy = testing::PolicyOf("all()", std::move(rules), tier);
    policy.order = order;
    Set(testing::GlobalPolicy(name), std::move(policy));
  }

  static testing::Packet Knock(std::string_view source = "192.0.2.1") {
    testing::Packet packet;
    packet.source = testing::Address(source);
    packet.destination =
        testing::Address(packet.source.family() == model::IpFamily::kV4 ? "10.0.0.1" : "fd00::1");
    packet.source_port = 1024;
    packet.destination_port = 80;
    packet.in_interface = "eth0";
    packet.out_interface = "cali1";
    return packet;
  }
  testing::Verdict Send(const testing::Packet& packet) {
    static_cast<void>(graph_.Flush());
    const testing::Verdict verdict = testing::Run(graph_.desired(), packet);
    // Whichever way containers are told apart.
    Options options = graph_.options();
    options.chain_layout = ChainLayout::kShared;
    Graph other(options);
    other.OnUpdates(graph_.store().Snapshot());
    static_cast<void>(other.Flush());
    EXPECT_EQ(testing::Run(other.desired(), packet), verdict) << "with shared chains: " << packet;
    return verdict;
  }
  bool Passes(const testing::Packet& packet) { return Send(packet) == testing::Verdict::kAccept; }

  [[nodiscard]] const ir::Chain* FindChain(const std::string& name,
                                           model::IpFamily family = model::IpFamily::kV4) const {
    const auto& chains = graph_.desired().chains;
    const auto found = chains.find({.family = family, .table = ir::Table::kFilter, .name = name});
    return found == chains.end() ? nullptr : &found->second;
  }
  // The rules of the ingress chain of a global policy.
  std::size_t RulesOf(const std::string& policy, model::IpFamily family = model::IpFamily::kV4) {
    static_cast<void>(graph_.Flush());
    const ir::Chain* chain = FindChain("cali-pi-gnp/" + policy, family);
    EXPECT_NE(chain, nullptr);
    return chain == nullptr ? 0 : chain->rules.size();
  }
};

}  // namespace felix::compiler
