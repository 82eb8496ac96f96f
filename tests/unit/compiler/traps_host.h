// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/ir/print.h"
#include "tests/unit/compiler/traps.h"

namespace felix::compiler {

enum class List { kNormal, kForward, kUntracked, kPreDnat };

// Beside the container, the host has eth0 (192.0.2.100), whose host endpoint "a" has the label
// role=edge, and eth1 (198.51.100.1), which has none.
class HostTraps : public Traps {
 protected:
  HostTraps() {
    Set(model::InterfaceId{"eth0"}, model::Interface{{testing::Address("192.0.2.100")}});
    Set(model::InterfaceId{"eth1"}, model::Interface{{testing::Address("198.51.100.1")}});
    Claim("a", "eth0");
  }

  static model::HostEndpointId HostId(std::string_view name) {
    return {std::string(testing::kThisHost), std::string(name)};
  }
  void Claim(std::string_view name, std::string_view interface,
             std::vector<std::string> profiles = {}) {
    model::HostEndpoint endpoint;
    endpoint.interface_name = interface;
    endpoint.labels = {{"role", "edge"}};
    endpoint.profiles = std::move(profiles);
    Set(HostId(name), endpoint);
  }
  void SetList(std::string_view name, List list, std::vector<model::PolicyRule> rules,
               std::string_view tier = "default") {
    Set(testing::GlobalPolicy(name), ListPolicy(list, std::move(rules), tier));
  }
  static model::Policy ListPolicy(List list, std::vector<model::PolicyRule> rules,
                                  std::string_view tier = "default") {
    model::Policy policy = testing::PolicyOf("role == 'edge'", std::move(rules), tier);
    policy.do_not_track = list == List::kUntracked;
    policy.pre_dnat = list == List::kPreDnat;
    policy.apply_on_forward = list != List::kNormal;
    if (list == List::kPreDnat) policy.egress_applies = false;
    return policy;
  }
  void Use(Options options) { graph_.SetOptions(std::move(options)); }

  static testing::Packet Between(std::string_view in, std::string_view out) {
    testing::Packet packet;
    packet.source = testing::Address(in.empty() ? "192.0.2.100" : "203.0.113.1");
    packet.destination = testing::Address(out.empty() ? "192.0.2.100" : "203.0.113.9");
    packet.source_port = 1024;
    packet.destination_port = 80;
    packet.in_interface = in;
    packet.out_interface = out;
    return packet;
  }
  static testing::Packet Known(testing::Packet packet) {
    packet.conntrack = testing::ConntrackState::kEstablished;
    return packet;
  }
  static testing::Packet Redirected(testing::Packet packet, std::string_view first_out) {
    packet.redirection = testing::Redirection{packet.destination, 8080};
    packet.first_out_interface = first_out;
    return packet;
  }

  // What anybody sends to port 80 of the host.
  static testing::Packet ToHost() { return Between("eth0", ""); }

  // The names of all chains of the table in IPv4.
  std::vector<std::string> ChainsOf(ir::Table table) {
    static_cast<void>(graph_.Flush());
    std::vector<std::string> names;
    for (const auto& [key, chain] : graph_.desired().chains) {
      if (key.table == table && key.family == model::IpFamily::kV4) names.push_back(key.name);
    }
    return names;
  }
  std::string State() {
    static_cast<void>(graph_.Flush());
    return ir::Print(graph_.desired());
  }
};

}  // namespace felix::compiler
