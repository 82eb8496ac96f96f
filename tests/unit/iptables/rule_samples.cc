// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/iptables/rule_samples.h"

#include <utility>

#include "fmt/format.h"

namespace felix::testing {
namespace {

using Way = ir::InterfaceMatch::Way;

model::Cidr Net(std::string_view text) {
  return *model::Cidr::Parse(text);
}

ir::Rule Accepting(std::vector<ir::Match> matches) {
  return ir::Rule{.matches = std::move(matches), .action = ir::Accept{}, .provenance = {}};
}

ir::InterfaceMatch Interface(Way way, std::string name, bool is_prefix, bool negated) {
  return {.way = way, .name = std::move(name), .is_prefix = is_prefix, .negated = negated};
}

void AddHeaderSamples(model::IpFamily family, std::vector<RuleSample>& out) {
  const bool v4 = family == model::IpFamily::kV4;
  const auto add = [&](std::string name, std::vector<ir::Match> matches, std::string saved) {
    out.push_back({std::move(name), Accepting(std::move(matches)), std::move(saved)});
  };
  add("nothing", {}, "-j ACCEPT");
  add("interface in", {Interface(Way::kIn, "cali12345678901", false, false)},
      "-i cali12345678901 -j ACCEPT");
  add("interface in prefix", {Interface(Way::kIn, "cali", true, false)}, "-i cali+ -j ACCEPT");
  add("interface out negated", {Interface(Way::kOut, "eth0", false, true)}, "! -o eth0 -j ACCEPT");
  add("interface out prefix negated", {Interface(Way::kOut, "tap", true, true)},
      "! -o tap+ -j ACCEPT");
  add("interfaces both",
      {Interface(Way::kIn, "a", false, false), Interface(Way::kOut, "b", false, false)},
      "-i a -o b -j ACCEPT");
  const std::string host = v4 ? "10.1.2.3/32" : "fd00::1/128";
  const std::string net = v4 ? "10.0.0.0/13" : "fd00:8000::/17";
  add("source", {ir::AddressMatch{.side = ir::Side::kSource, .net = Net(host)}},
      fmt::format("-s {} -j ACCEPT", host));
  add("source negated",
      {ir::AddressMatch{.side = ir::Side::kSource, .net = Net(net), .negated = true}},
      fmt::format("! -s {} -j ACCEPT", net));
  add("destination", {ir::AddressMatch{.side = ir::Side::kDestination, .net = Net(net)}},
      fmt::format("-d {} -j ACCEPT", net));
  add("destination negated",
      {ir::AddressMatch{.side = ir::Side::kDestination, .net = Net(host), .negated = true}},
      fmt::format("! -d {} -j ACCEPT", host));
  add("protocol", {ir::ProtocolMatch{.protocol = model::kUdp}}, "-p udp -j ACCEPT");
  add("protocol negated", {ir::ProtocolMatch{.protocol = model::kTcp, .negated = true}},
      "! -p tcp -j ACCEPT");
}

void AddExtensionSamples(model::IpFamily family, std::vector<RuleSample>& out) {
  const bool v4 = family == model::IpFamily::kV4;
  const auto add = [&](std::string name, std::vector<ir::Match> matches, std::string saved) {
    out.push_back({std::move(name), Accepting(std::move(matches)), std::move(saved)});
  };
  const ir::ProtocolMatch tcp{.protocol = model::kTcp};
  add("destination ports",
      {tcp, ir::PortsMatch{.side = ir::Side::kDestination, .ranges = {{80, 80}, {90, 100}}}},
      "-p tcp -m multiport --dports 80,90:100 -j ACCEPT");
  add("source port negated",
      {ir::ProtocolMatch{.protocol = model::kSctp},
       ir::PortsMatch{.side = ir::Side::kSource, .ranges = {{5, 5}}, .negated = true}},
      "-p sctp -m multiport ! --sports 5 -j ACCEPT");
  ir::PortsMatch full{.side = ir::Side::kDestination, .ranges = {{0, 65535}}};
  std::string ports = "0:65535";
  for (std::uint16_t port = 1; port <= 13; ++port) {
    full.ranges.push_back({port, port});
    ports += fmt::format(",{}", port);
  }
  add("fifteen port slots", {tcp, full},
      fmt::format("-p tcp -m multiport --dports {} -j ACCEPT", ports));
  const std::string nets = SampleSetName(family, kNetSet);
  const std::string triples = SampleSetName(family, kPortSet);
  add("set source", {ir::SetMatch{.set_id = kNetSet, .side = ir::Side::kSource}},
      fmt::format("-m set --match-set {} src -j ACCEPT", nets));
  add("set destination negated",
      {ir::SetMatch{.set_id = kNetSet, .side = ir::Side::kDestination, .negated = true}},
      fmt::format("-m set ! --match-set {} dst -j ACCEPT", nets));
  add("port set destination",
      {ir::SetMatch{.set_id = kPortSet, .with_port = true, .side = ir::Side::kDestination}},
      fmt::format("-m set --match-set {} dst,dst -j ACCEPT", triples));
  add("port set source negated",
      {ir::SetMatch{
          .set_id = kPortSet, .with_port = true, .side = ir::Side::kSource, .negated = true}},
      fmt::format("-m set ! --match-set {} src,src -j ACCEPT", triples));
  const ir::ProtocolMatch icmp{.protocol = v4 ? model::kIcmp : model::kIcmpV6};
  const std::string_view protocol = v4 ? "-p icmp -m icmp" : "-p ipv6-icmp -m icmp6";
  const std::string_view type = v4 ? "--icmp-type" : "--icmpv6-type";
  add("icmp type", {icmp, ir::IcmpTypeMatch{.icmp = {.type = 128, .code = {}}}},
      fmt::format("{} {} 128 -j ACCEPT", protocol, type));
  add("icmp type and code negated",
      {icmp, ir::IcmpTypeMatch{.icmp = {.type = 3, .code = 4}, .negated = true}},
      fmt::format("{} ! {} 3/4 -j ACCEPT", protocol, type));
  add("conntrack",
      {ir::ConntrackMatch{.states =
                              ir::ConntrackMatch::kEstablished | ir::ConntrackMatch::kRelated}},
      "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
  add("conntrack negated",
      {ir::ConntrackMatch{.states = ir::ConntrackMatch::kInvalid | ir::ConntrackMatch::kNew,
                          .negated = true}},
      "-m conntrack ! --ctstate INVALID,NEW -j ACCEPT");
  add("conntrack of a translated destination",
      {ir::ConntrackMatch{.states = ir::ConntrackMatch::kDnat, .negated = true}},
      "-m conntrack ! --ctstate DNAT -j ACCEPT");
  add("mark", {ir::MarkMatch{.value = 0x10000, .mask = 0x30000}},
      "-m mark --mark 0x10000/0x30000 -j ACCEPT");
  add("mark negated", {ir::MarkMatch{.value = 0, .mask = 0x80000000, .negated = true}},
      "-m mark ! --mark 0x0/0x80000000 -j ACCEPT");
  add("source of the host", {ir::LocalAddressMatch{.side = ir::Side::kSource}},
      "-m addrtype --src-type LOCAL -j ACCEPT");
  add("source not of the outgoing interface",
      {ir::LocalAddressMatch{.side = ir::Side::kSource, .of_out_interface = true, .negated = true}},
      "-m addrtype ! --src-type LOCAL --limit-iface-out -j ACCEPT");
  add("destination not of the host",
      {ir::LocalAddressMatch{.side = ir::Side::kDestination, .negated = true}},
      "-m addrtype ! --dst-type LOCAL -j ACCEPT");
  add("destination of the outgoing interface",
      {ir::LocalAddressMatch{.side = ir::Side::kDestination, .of_out_interface = true}},
      "-m addrtype --dst-type LOCAL --limit-iface-out -j ACCEPT");
  using Unit = ir::LimitMatch::Unit;
  const auto limit = [&](std::uint32_t rate, Unit unit, std::uint32_t burst, std::string saved) {
    add("limit " + saved, {ir::LimitMatch{.rate = rate, .unit = unit, .burst = burst}},
        fmt::format("-m limit --limit {} -j ACCEPT", saved));
  };
  limit(1, Unit::kSecond, 1, "1/sec --limit-burst 1");
  limit(3333, Unit::kSecond, 10000, "3333/sec --limit-burst 10000");
  limit(10, Unit::kMinute, 7, "10/min --limit-burst 7");
  limit(90, Unit::kMinute, 5, "90/min");
  limit(7, Unit::kHour, 9, "7/hour --limit-burst 9");
  limit(1, Unit::kDay, 1, "1/day --limit-burst 1");
  add("many at once",
      {Interface(Way::kIn, "cali", true, false),
       ir::AddressMatch{.side = ir::Side::kSource, .net = Net(v4 ? "10.0.0.0/8" : "fd00::/8")}, tcp,
       ir::MarkMatch{.value = 1, .mask = 1}, ir::SetMatch{.set_id = kNetSet},
       ir::PortsMatch{.side = ir::Side::kSource, .ranges = {{1, 2}}},
       ir::PortsMatch{.side = ir::Side::kDestination, .ranges = {{3, 3}}}},
      fmt::format("-s {} -i cali+ -p tcp -m mark --mark 0x1/0x1 -m set --match-set {} src -m "
                  "multiport --sports 1:2 -m multiport --dports 3 -j ACCEPT",
                  v4 ? "10.0.0.0/8" : "fd00::/8", nets));
}

void AddTargetSamples(model::IpFamily family, std::vector<RuleSample>& out) {
  const auto add = [&](std::string name, ir::Action action, std::string saved) {
    out.push_back({std::move(name),
                   ir::Rule{.matches = {}, .action = std::move(action), .provenance = {}},
                   std::move(saved)});
  };
  add("drop", ir::Drop{}, "-j DROP");
  add("return", ir::Return{}, "-j RETURN");
  add("jump", ir::Jump{kSampleTarget}, "-j cali-target");
  add("goto", ir::Goto{kSampleTarget}, "-g cali-target");
  add("set mark", ir::SetMark{.value = 0x20000, .mask = 0x60000},
      "-j MARK --set-xmark 0x20000/0x60000");
  add("clear mark", ir::SetMark{.value = 0, .mask = 0xffff0000},
      "-j MARK --set-xmark 0x0/0xffff0000");
  add("log", ir::Log{.prefix = "calico-packet: 12345678901234", .level = 5},
      "-j LOG --log-prefix \"calico-packet: 12345678901234\" --log-level 5");
  add("log without prefix", ir::Log{.prefix = "", .level = 4}, "-j LOG");
  add("netlink log", ir::NetlinkLog{.group = 2, .prefix = "APE0|gnp/x", .size = 80},
      "-j NFLOG --nflog-prefix \"APE0|gnp/x\" --nflog-group 2 --nflog-size 80");
  add("netlink log of everything", ir::NetlinkLog{.group = 1, .prefix = std::string(63, 'x')},
      fmt::format("-j NFLOG --nflog-prefix {} --nflog-group 1", std::string(63, 'x')));
  add("reject", ir::Reject{},
      family == model::IpFamily::kV4 ? "-j REJECT --reject-with icmp-port-unreachable"
                                     : "-j REJECT --reject-with icmp6-port-unreachable");
}

void AddPlacedSamples(model::IpFamily family, std::vector<RuleSample>& out) {
  using ir::BaseChain;
  using ir::Table;
  const auto add = [&](Table table, BaseChain base, std::vector<ir::Match> matches,
                       ir::Action action, std::string saved) {
    out.push_back(
        {fmt::format("{} {}", ir::TableName(table), saved),
         ir::Rule{.matches = std::move(matches), .action = std::move(action), .provenance = {}},
         saved, table, base});
  };
  for (const Table table : {Table::kRaw, Table::kMangle}) {
    add(table, BaseChain::kPrerouting, {ir::ReversePathMatch{}}, ir::Drop{}, "-m rpfilter -j DROP");
    add(table, BaseChain::kPrerouting, {ir::ReversePathMatch{.with_mark = true, .negated = true}},
        ir::Drop{}, "-m rpfilter --validmark --invert -j DROP");
  }
  add(Table::kRaw, BaseChain::kPrerouting, {}, ir::NoTrack{}, "-j CT --notrack");
  add(Table::kMangle, BaseChain::kForward, {}, ir::MapSet{.set_id = kNetSet},
      fmt::format("-j SET --map-set {} src --map-mark", SampleSetName(family, kNetSet)));
  add(Table::kMangle, BaseChain::kForward, {}, ir::MapSet{.set_id = kPortSet, .dimensions = 2},
      fmt::format("-j SET --map-set {} src,src --map-mark", SampleSetName(family, kPortSet)));
  add(Table::kMangle, BaseChain::kForward, {},
      ir::MapSet{.set_id = kPortSet, .dimensions = 2, .side = ir::Side::kDestination},
      fmt::format("-j SET --map-set {} dst,dst --map-mark", SampleSetName(family, kPortSet)));
  const ir::ProtocolMatch tcp{.protocol = model::kTcp};
  const model::PortRange range{.first = 1024, .last = 65535};
  const model::PortRange port{.first = 80, .last = 80};
  const bool v4 = family == model::IpFamily::kV4;
  const model::IpAddress address = *model::IpAddress::Parse(v4 ? "192.0.2.7" : "fd00::7");
  const std::string plain = address.ToString();
  const std::string with_port = v4 ? plain : fmt::format("[{}]", plain);
  const auto source = [&](std::vector<ir::Match> matches, ir::Action action, std::string saved) {
    add(Table::kNat, BaseChain::kPostrouting, std::move(matches), std::move(action),
        std::move(saved));
  };
  source({}, ir::Masquerade{}, "-j MASQUERADE");
  source({}, ir::Masquerade{.ports = {}, .fully_random = true}, "-j MASQUERADE --random-fully");
  source({tcp}, ir::Masquerade{.ports = range}, "-p tcp -j MASQUERADE --to-ports 1024-65535");
  source({tcp}, ir::Masquerade{.ports = port, .fully_random = true},
         "-p tcp -j MASQUERADE --to-ports 80 --random-fully");
  source({}, ir::SourceNat{.address = address, .ports = {}},
         fmt::format("-j SNAT --to-source {}", plain));
  source({tcp}, ir::SourceNat{.address = address, .ports = range, .fully_random = true},
         fmt::format("-p tcp -j SNAT --to-source {}:1024-65535 --random-fully", with_port));
  const auto destination = [&](std::vector<ir::Match> matches, ir::Action action,
                               std::string saved) {
    add(Table::kNat, BaseChain::kPrerouting, std::move(matches), std::move(action),
        std::move(saved));
  };
  destination({}, ir::DestinationNat{.address = address, .ports = {}},
              fmt::format("-j DNAT --to-destination {}", plain));
  destination({tcp}, ir::DestinationNat{.address = address, .ports = port},
              fmt::format("-p tcp -j DNAT --to-destination {}:80", with_port));
  destination({tcp}, ir::DestinationNat{.address = address, .ports = range},
              fmt::format("-p tcp -j DNAT --to-destination {}:1024-65535", with_port));
}

}  // namespace

std::string SampleSetName(model::IpFamily family, const std::string& id) {
  return fmt::format("felix-test-{}-{}", static_cast<int>(family), id);
}

std::vector<RuleSample> RuleSamples(model::IpFamily family) {
  std::vector<RuleSample> samples;
  AddHeaderSamples(family, samples);
  AddExtensionSamples(family, samples);
  AddTargetSamples(family, samples);
  AddPlacedSamples(family, samples);
  return samples;
}

}  // namespace felix::testing
