// SPDX-License-Identifier: Apache-2.0
#include "felix/replay/plan.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "felix/replay/firewall_text.h"
#include "tests/unit/felix/replay/replay_input.h"

namespace felix::replay {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class PlanTest : public ReplayVerbTest {
 protected:
  PlanTest() {
    directory_.WriteInPlace("change.yaml", R"(apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: db}
spec:
  selector: app == "db"
  types: [Ingress]
  ingress:
  - {action: Deny, protocol: TCP, source: {selector: app == "web"}}
  - {action: Allow, protocol: TCP, source: {selector: app == "lone"}, destination: {ports: [sql]}}
)");
  }
};

TEST_F(PlanTest, TellsWhatChangesAndWhichPairsOpenAndClose) {
  const Cluster before = Read();
  const Cluster after = Read({"shop.yaml", "change.yaml"});
  const auto plan = PlanChange(before, after, "node-2", Output::kText);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->status, kDiffers);
  EXPECT_THAT(
      plan->text,
      AllOf(HasSubstr("~ chain ipv4 filter cali-pi-gnp/db\n    - "),
            HasSubstr("reachability: 1 pairs open, 1 pairs close"),
            HasSubstr("opens  node-2/cni/lab/lone/eth0 -> node-2/cni/shop/db/eth0 tcp/5432"),
            HasSubstr("closes node-1/cni/shop/web/eth0 -> node-2/cni/shop/db/eth0 tcp/5432")));
}

TEST_F(PlanTest, FindsNothingWhereNothingChanges) {
  const auto plan = PlanChange(Read(), Read({"shop.yaml", "shop.yaml"}), "node-2", Output::kText);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->status, kDone);
  EXPECT_EQ(plan->text,
            "reachability: 0 pairs open, 0 pairs close\n"
            "plan for node-2: 0 to add, 0 to change, 0 to remove\n");
}

TEST_F(PlanTest, NumbersOfShapesThatStayAreNoChange) {
  directory_.WriteInPlace("shared.yaml", R"(apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: {name: default}
spec: {chainLayout: Shared}
)");
  directory_.WriteInPlace("first.yaml", R"(apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {name: node--2-cni-aaa-eth0, namespace: lab, labels: {app: first}}
spec: {node: node-2, orchestrator: cni, containerID: aaa, endpoint: eth0, interfaceName: cali0, ipNetworks: [10.65.0.4/32], profiles: [lab]}
---
apiVersion: projectcalico.org/v3
kind: Profile
metadata: {name: lab}
spec: {ingress: [{action: Allow}], egress: [{action: Allow}]}
)");
  const auto plan =
      PlanChange(Read({"shop.yaml", "shared.yaml"}),
                 Read({"shop.yaml", "shared.yaml", "first.yaml"}), "node-2", Output::kText);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_THAT(plan->text, AllOf(HasSubstr("~ set cali40e:to\n    + 10.65.0.4,cali0 0x"),
                                Not(HasSubstr("10.65.0.2")), Not(HasSubstr("\n    - "))));
}

TEST_F(PlanTest, ReadsBothSpellingsOfARuleAsOne) {
  FirewallText ours;
  FirewallText saved;
  ASSERT_TRUE(ours.AddRules("ipv4",
                            "*filter\n:cali-x - [0:0]\n-I FORWARD 1 -j cali-FORWARD\n"
                            "-A cali-x -p icmp -m icmp --icmp-type 8 -s 10.0.0.0/8 -j LOG "
                            "--log-prefix \"a b\" --log-level 4\n"
                            "-A cali-x -m limit --limit 10/minute --limit-burst 5 -j REJECT\n")
                  .ok());
  ASSERT_TRUE(saved
                  .AddRules("ipv4",
                            "# by iptables\n*filter\n:FORWARD ACCEPT [1:2]\n:mine - [0:0]\n"
                            ":cali-x - [0:0]\n[3:4] -A FORWARD -j cali-FORWARD\n"
                            "-A FORWARD -s 192.0.2.1/32 -j DROP\n-A mine -j RETURN\n"
                            "-A cali-x -s 10.0.0.0/8 -p icmp -m icmp --icmp-type 8 -j LOG "
                            "--log-prefix \"a b\"\n"
                            "-A cali-x -m limit --limit 10/min -j REJECT --reject-with "
                            "icmp-port-unreachable\nCOMMIT\n")
                  .ok());
  ASSERT_TRUE(ours.AddSets("create cali40e:to hash:net,iface family inet hashsize 64 maxelem 9 "
                           "counters skbinfo\n"
                           "add cali40e:to 10.0.0.1/32,cali1 skbmark 0x10/0xf0 packets 0 bytes 0\n")
                  .ok());
  ASSERT_TRUE(saved
                  .AddSets("create cali40e:to hash:net,iface family inet hashsize 64 maxelem 9 "
                           "counters skbinfo bucketsize 12 initval 0x1\n"
                           "add cali40e:to 10.0.0.1,cali1 packets 7 bytes 8 skbmark 0x10/0xf0\n")
                  .ok());
  EXPECT_TRUE(Compare(ours, saved).empty()) << Compare(ours, saved).text;
  EXPECT_FALSE(saved.AddRules("ipv4", "nonsense").ok());
  EXPECT_FALSE(saved.AddSets("nonsense").ok());
}

}  // namespace
}  // namespace felix::replay
