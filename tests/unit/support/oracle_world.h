// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "tests/reference/oracle.h"
#include "tests/support/builders.h"

namespace felix::testing {

// A small cluster to ask the oracle about: on this host `web` (cali1, role=web) and `db` (cali2,
// role=db), on another one `far` (role=far), all with the profile `open` that allows everything.
struct OracleWorld {
  compiler::Options options = OptionsOfThisHost();
  StoreBuilder resources;

  OracleWorld() {
    resources.Add(EndpointId("web"), Web()).Add(EndpointId("db"), Db());
    resources.Add(EndpointId("far", "host-b"),
                  Endpoint("cali3", {"10.0.1.3", "fd00:1::3"}, {{"role", "far"}}, {"open"}));
    resources.Add(model::ProfileId{"open"}, ProfileOf({Allow()}));
  }
  static model::WorkloadEndpoint Web() {
    return Endpoint("cali1", {"10.0.0.1", "fd00::1"}, {{"role", "web"}}, {"open"});
  }
  static model::WorkloadEndpoint Db() {
    return Endpoint("cali2", {"10.0.0.2", "fd00::2"}, {{"role", "db"}}, {"open"});
  }

  [[nodiscard]] Verdict Judge(const Packet& packet) const {
    return reference::Judge(resources.store(), options, packet);
  }
  [[nodiscard]] std::string Reason(const Packet& packet) const {
    return reference::Explain(resources.store(), options, packet).reason;
  }
};

inline Packet Tcp(std::string_view in, std::string_view source, std::string_view out,
                  std::string_view destination, std::uint16_t port = 80) {
  Packet packet;
  packet.source = Address(source);
  packet.destination = Address(destination);
  packet.source_port = 40000;
  packet.destination_port = port;
  packet.in_interface = in;
  packet.out_interface = out;
  return packet;
}
inline Packet WebToDb() {
  return Tcp("cali1", "10.0.0.1", "cali2", "10.0.0.2");
}
inline Packet WebToDbV6() {
  return Tcp("cali1", "fd00::1", "cali2", "fd00::2");
}
inline Packet WebToHost() {
  return Tcp("cali1", "10.0.0.1", "", "10.0.0.254");
}
inline Packet WebToWorld() {
  return Tcp("cali1", "10.0.0.1", "eth0", "203.0.113.1");
}
inline Packet WorldToDb() {
  return Tcp("eth0", "203.0.113.1", "cali2", "10.0.0.2");
}

inline Packet WithState(Packet packet, ConntrackState state) {
  packet.conntrack = state;
  return packet;
}
inline Packet WithProtocol(Packet packet, model::Protocol protocol) {
  packet.protocol = protocol;
  return packet;
}
inline Packet Icmp(Packet packet, std::uint8_t type, std::uint8_t code = 0) {
  packet.protocol = packet.family() == model::IpFamily::kV4 ? model::kIcmp : model::kIcmpV6;
  packet.source_port = packet.destination_port = 0;
  packet.icmp_type = type;
  packet.icmp_code = code;
  return packet;
}

}  // namespace felix::testing
