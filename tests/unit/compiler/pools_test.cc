// SPDX-License-Identifier: Apache-2.0
#include "compiler/pools.h"

#include <string>
#include <utility>

#include "gtest/gtest.h"

#include "compiler/graph.h"
#include "compiler/ir/print.h"
#include "tests/support/builders.h"
#include "tests/unit/compiler/graph_fixture.h"

namespace felix::compiler {
namespace {

using testing::Address;
using testing::Net;

class PoolsTest : public GraphFixture {
 protected:
  void Pool(std::string name, std::string_view cidr, bool nat_outgoing, bool lb_only = false) {
    Set(model::IpPoolId{std::move(name)},
        model::IpPool{
            .cidr = Net(cidr), .nat_outgoing = nat_outgoing, .load_balancer_only = lb_only});
  }
  void Floating(std::string_view name, std::string_view interface, std::string_view internal,
                std::vector<std::string_view> externals) {
    model::WorkloadEndpoint endpoint = testing::Endpoint(interface, {internal});
    for (const std::string_view external : externals) {
      endpoint.nat_mappings.push_back({Address(internal), Address(external)});
    }
    Set(testing::EndpointId(name), endpoint);
  }

  // What there is in the nat table and in the sets.
  std::string Translations() {
    static_cast<void>(graph_.Flush());
    ir::DesiredState state = graph_.desired();
    state.local_addresses.clear();
    absl::erase_if(state.chains,
                   [](const auto& entry) { return entry.first.table != ir::Table::kNat; });
    absl::erase_if(state.hooks,
                   [](const auto& entry) { return entry.first.table != ir::Table::kNat; });
    for (auto& [key, chain] : state.chains) {
      for (ir::Rule& rule : chain.rules) rule.provenance = {};
    }
    for (auto& [key, rules] : state.hooks) {
      for (ir::Rule& rule : rules) rule.provenance = {};
    }
    return ir::Print(state);
  }
  void Configure(void (*change)(Options&)) {
    Options options = graph_.options();
    change(options);
    graph_.SetOptions(std::move(options));
  }
};

constexpr char kSourceOnly[] = R"(*nat
:cali-POSTROUTING
:cali-nat-outgoing
-A POSTROUTING -j cali-POSTROUTING
-A cali-POSTROUTING -j cali-nat-outgoing
-A cali-nat-outgoing )";

TEST_F(PoolsTest, WriteNothingWhileNobodyNeedsATranslation) {
  Pool("a", "10.0.0.0/16", false);
  Set(model::NodeId{"n"}, model::Node{.addresses = {Address("192.0.2.1")}});
  Floating("w", "cali1", "10.0.0.1", {"203.0.113.1"});
  EXPECT_EQ(Translations(), "");
}

// A pool that keeps its addresses, inside of one that does not, is still a pool; one that is for
// load balancers alone is not where workloads are.
TEST_F(PoolsTest, T57_MasqueradeWhatLeavesThemAndNotWhatStaysInAnother) {
  Pool("outer", "10.0.0.0/8", true);
  Pool("inner", "10.1.0.0/16", false);
  Pool("balancers", "192.0.2.0/24", false, true);
  EXPECT_EQ(Translations(), std::string(R"(# IPv4
create masq-ipam-pools net
add masq-ipam-pools 10.0.0.0/8
create network-ip-pools net
add network-ip-pools 10.0.0.0/8
add network-ip-pools 10.1.0.0/16
)") + kSourceOnly +
                                "-m set --match-set masq-ipam-pools src -m set ! --match-set "
                                "network-ip-pools dst -j MASQUERADE --random-fully\n");
  Remove(model::IpPoolId{"outer"});
  EXPECT_EQ(Translations(), "");
}

TEST_F(PoolsTest, OfOneRangeAreRuledByTheSmallestName) {
  Pool("b", "10.0.0.0/8", true);
  EXPECT_NE(Translations(), "");
  Pool("a", "10.0.0.0/8", false);
  EXPECT_EQ(Translations(), "");
  Remove(model::IpPoolId{"a"});
  EXPECT_NE(Translations(), "");
}

TEST_F(PoolsTest, AreTranslatedAsConfigured) {
  Configure([](Options& options) {
    options.nat_outgoing_address = Address("198.51.100.1");
    options.nat_port_range = model::PortRange{.first = 1024, .last = 2048};
    options.nat_outgoing_interface_filter = "eth+";
    options.nat_outgoing_exclusions = NatOutgoingExclusions::kIpPoolsAndHostIps;
  });
  Pool("four", "10.0.0.0/8", true);
  Set(model::NodeId{"n"}, model::Node{.addresses = {Address("192.0.2.1"), Address("fd01::1")}});
  const std::string sets =
      "-m set --match-set masq-ipam-pools src -m set ! --match-set network-ip-pools dst -m set ! "
      "--match-set all-hosts-net dst ";
  const std::string chain = "-A cali-nat-outgoing -o eth+ ";
  const std::string text = Translations();
  EXPECT_NE(text.find("add all-hosts-net 192.0.2.1\n"), std::string::npos) << text;
  EXPECT_EQ(text.substr(text.find(chain)),
            chain + "-p tcp " + sets +
                "-j SNAT --to-source 198.51.100.1:1024:2048 --random-fully\n" + chain + "-p udp " +
                sets + "-j SNAT --to-source 198.51.100.1:1024:2048 --random-fully\n" + chain +
                sets + "-j SNAT --to-source 198.51.100.1 --random-fully\n");
}

// The configured address is of IPv4.
TEST_F(PoolsTest, OfIpv6AreMasqueradedEvenWithAnAddressConfigured) {
  Configure([](Options& options) { options.nat_outgoing_address = Address("198.51.100.1"); });
  Pool("six", "fd00::/8", true);
  const std::string text = Translations();
  EXPECT_EQ(text.find("# IPv4"), std::string::npos) << text;
  EXPECT_NE(text.find("dst -j MASQUERADE --random-fully\n"), std::string::npos) << text;
}

TEST_F(PoolsTest, T58_FloatingIpsLeadToTheWorkloadAndBackToItself) {
  Configure([](Options& options) { options.floating_ips_enabled = true; });
  Floating("w", "cali1", "10.0.0.1", {"203.0.113.1"});
  EXPECT_EQ(Translations(), R"(# IPv4
*nat
:cali-OUTPUT
:cali-POSTROUTING
:cali-PREROUTING
:cali-fip-dnat
:cali-fip-snat
-I PREROUTING -j cali-PREROUTING
-I OUTPUT -j cali-OUTPUT
-A POSTROUTING -j cali-POSTROUTING
-A cali-OUTPUT -j cali-fip-dnat
-A cali-POSTROUTING -j cali-fip-snat
-A cali-PREROUTING -j cali-fip-dnat
-A cali-fip-dnat -d 203.0.113.1/32 -j DNAT --to-destination 10.0.0.1
-A cali-fip-snat -s 10.0.0.1/32 -d 10.0.0.1/32 -j SNAT --to-source 203.0.113.1
)");
  Remove(testing::EndpointId("w"));
  EXPECT_EQ(Translations(), "");
}

TEST_F(PoolsTest, FloatingIpsOfOpenStackAlwaysHoldAndThoseOfOtherHostsNever) {
  model::WorkloadEndpoint endpoint = testing::Endpoint("cali1", {"10.0.0.1"});
  endpoint.nat_mappings = {{Address("10.0.0.1"), Address("203.0.113.1")}};
  model::WorkloadEndpointId id = testing::EndpointId("w");
  id.orchestrator = "openstack";
  id.host = "another";
  Set(id, endpoint);
  EXPECT_EQ(Translations(), "");
  id.host = std::string(testing::kThisHost);
  Set(id, endpoint);
  EXPECT_NE(Translations(), "");
}

// "10.0.0.10" is the smaller text, though the greater address.
TEST_F(PoolsTest, FloatingIpsInConflictGoToTheSmallestText) {
  Configure([](Options& options) { options.floating_ips_enabled = true; });
  Floating("a", "cali1", "10.0.0.9", {"203.0.113.9", "203.0.113.10"});
  Floating("b", "cali2", "10.0.0.10", {"203.0.113.9"});
  const std::string text = Translations();
  EXPECT_EQ(text.substr(text.find("-A cali-fip-dnat")),
            "-A cali-fip-dnat -d 203.0.113.9/32 -j DNAT --to-destination 10.0.0.10\n"
            "-A cali-fip-dnat -d 203.0.113.10/32 -j DNAT --to-destination 10.0.0.9\n"
            "-A cali-fip-snat -s 10.0.0.9/32 -d 10.0.0.9/32 -j SNAT --to-source 203.0.113.10\n"
            "-A cali-fip-snat -s 10.0.0.10/32 -d 10.0.0.10/32 -j SNAT --to-source 203.0.113.9\n");
  Remove(testing::EndpointId("b"));
  EXPECT_NE(Translations().find("-d 203.0.113.9/32 -j DNAT --to-destination 10.0.0.9\n"),
            std::string::npos);
}

}  // namespace
}  // namespace felix::compiler
