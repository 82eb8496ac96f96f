// SPDX-License-Identifier: Apache-2.0
// What felix-replay says a host's firewall would be is what felix makes of the same input.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <regex>
#include <string>

#include "fmt/format.h"

#include "tests/kernel/felix/program.h"
#include "tests/support/layouts.h"

namespace felix::testing {
namespace {

using ::testing::HasSubstr;

constexpr const char* kEverything = R"(apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: shapes}
spec:
  selector: app == "web"
  types: [Ingress, Egress]
  ingress:
  - {action: Allow, protocol: TCP, source: {nets: [192.0.2.0/28, 198.51.100.0/24]}, destination: {ports: [443]}}
  - {action: Allow, protocol: UDP, source: {nets: [192.0.2.0/32, 192.0.2.2/32, 192.0.2.4/32, 192.0.2.6/32, 0.0.0.0/0]}}
  - {action: Allow, protocol: TCP, destination: {ports: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, "20:30"]}}
  - {action: Allow, protocol: TCP, source: {selector: app == "web"}, destination: {ports: [80, http]}}
  - {action: Log, protocol: ICMP, icmp: {type: 8}}
  - {action: Allow, protocol: ICMPv6, icmp: {type: 128, code: 0}}
  - {action: Deny, notProtocol: UDPLite, source: {notSelector: has(app)}}
  - {action: Deny, protocol: 47}
  - {action: Pass}
  egress:
  - {action: Allow, protocol: SCTP, source: {ports: [1, 3, 5, 7, 9, 11]}, destination: {notPorts: [7]}}
  - {action: Deny}
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: early}
spec:
  selector: role == "host"
  doNotTrack: true
  applyOnForward: true
  ingress: [{action: Allow, protocol: UDP, destination: {ports: [53]}}]
  egress: [{action: Allow, protocol: UDP, source: {ports: [53]}}]
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: door}
spec:
  selector: role == "host"
  preDNAT: true
  applyOnForward: true
  ingress: [{action: Deny, source: {nets: [203.0.113.0/24]}}]
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: host}
spec:
  selector: role == "host"
  applyOnForward: true
  ingress: [{action: Allow}]
  egress: [{action: Allow}]
---
apiVersion: projectcalico.org/v3
kind: HostEndpoint
metadata: {name: lo, labels: {role: host}}
spec: {node: node-1, interfaceName: lo}
---
apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {name: node--1-cni-a-eth0, namespace: default, labels: {app: db}}
spec: {node: node-1, orchestrator: cni, containerID: a, endpoint: eth0, interfaceName: cali91, ipNetworks: [10.65.0.91/32, "fd00::91/128"], profiles: [open]}
---
apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {name: node--1-cni-z-eth0, namespace: default, labels: {app: lone}}
spec: {node: node-1, orchestrator: cni, containerID: z, endpoint: eth0, interfaceName: cali92, ipNetworks: [10.65.0.92/32]}
---
apiVersion: projectcalico.org/v3
kind: Profile
metadata: {name: open}
spec: {ingress: [{action: Allow}], egress: [{action: Allow}]}
---
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: pool}
spec: {cidr: 10.65.0.0/16, natOutgoing: true}
---
apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: {name: default}
spec: {natPortRange: "1024:2048", logActionRateLimit: 10/minute, floatingIPs: Enabled, chainLayout: )";

// What a kernel holds, whatever the order in which it came to hold it.
std::string Settled(const NetworkNamespace& netns) {
  std::string dump;
  const int status = netns.Shell(
      "for table in raw mangle nat filter; do iptables-legacy-save -t $table && "
      "ip6tables-legacy-save -t $table || exit 1; done | grep -v '^#'; "
      "for set in $(ipset list -n | sort); do ipset save -sorted $set || exit 1; done",
      &dump);
  EXPECT_EQ(status, 0) << dump;
  static const std::regex kSeed(" initval 0x[0-9a-f]+| bucketsize [0-9]+");
  return std::regex_replace(dump, kSeed, "");
}

// Runs felix-replay where no rule is; returns its exit status.
int Replay(const NetworkNamespace& netns, const std::string& arguments, std::string* output) {
  return netns.Shell(fmt::format("{} {}", FELIX_REPLAY_BINARY, arguments), output);
}

class ReplayTest : public ::testing::TestWithParam<compiler::ChainLayout> {
 protected:
  void SetUp() override {
    FELIX_REQUIRE_ROOT();
    for (int i = 1; i < 30; ++i) {
      resources.Write(fmt::format("e{}.yaml", i), EndpointYaml(fmt::format("cali{}", i), i));
    }
    resources.Write("policy.yaml", PolicyYaml("web", 80));
    const std::string layout = LayoutName({GetParam(), 0});
    resources.Write("everything.yaml", fmt::format("{}{}}}\n", kEverything, layout));
  }

  [[nodiscard]] static bool IsShared() { return GetParam() == compiler::ChainLayout::kShared; }

  NetworkNamespace netns;
  ResourceDirectory resources;
};

INSTANTIATE_TEST_SUITE_P(Layouts, ReplayTest, BothLayouts(), LayoutName);

TEST_P(ReplayTest, RendersWhatFelixPrograms) {
  const RunResult run = RunOnce(netns, resources);
  ASSERT_EQ(run.exit_status, 0) << run.err;
  ASSERT_TRUE(Holds(netns, "MASQUERADE"));
  ASSERT_TRUE(Holds(netns, "-m limit --limit 10/min"));
  ASSERT_TRUE(Holds(netns, "CT --notrack"));
  ASSERT_EQ(Holds(netns, "-j SET --map-set cali40e:"), IsShared());
  ASSERT_EQ(Holds(netns, "add cali60e:"), IsShared());

  const NetworkNamespace other;
  const ResourceDirectory rendered;
  std::string output;
  ASSERT_EQ(Replay(other,
                   fmt::format("render -i {} --host node-1 --interface lo=127.0.0.1,::1 "
                               "--output-dir {}",
                               resources.path(), rendered.path()),
                   &output),
            0)
      << output;
  ASSERT_EQ(Dump(other), "") << "rendering changes nothing";
  output.clear();
  ASSERT_EQ(other.Shell(fmt::format("cd {} && ipset restore < sets && "
                                    "iptables-legacy-restore < v4 && ip6tables-legacy-restore < v6",
                                    rendered.path()),
                        &output),
            0)
      << output;
  EXPECT_EQ(Settled(other), Settled(netns));
}

TEST_P(ReplayTest, PlansNothingForTheKernelThatFelixMadeAndNamesWhatOthersChanged) {
  ASSERT_EQ(RunOnce(netns, resources).exit_status, 0);
  const ResourceDirectory captured;
  const std::string capture = fmt::format(
      "cd {} && iptables-legacy-save > v4 && ip6tables-legacy-save -c > v6 && ipset save > sets",
      captured.path());
  const std::string plan = fmt::format(
      "plan -i {0} --host node-1 --interface lo=127.0.0.1,::1 --kernel-v4 {1}/v4 "
      "--kernel-v6 {1}/v6 --kernel-sets {1}/sets",
      resources.path(), captured.path());
  ASSERT_EQ(netns.Shell(capture), 0);
  std::string output;
  EXPECT_EQ(Replay(netns, plan, &output), 0) << output;
  EXPECT_EQ(output, "plan for node-1: 0 to add, 0 to change, 0 to remove\n");

  const std::string table = IsShared() ? "mangle" : "filter";
  const std::string chain = IsShared() ? "cali-to-wl" : "cali-tw-cali1";
  ASSERT_EQ(
      netns.Shell(fmt::format("iptables-legacy -t {0} -D {1} 1 && iptables-legacy -t {0} "
                              "-D FORWARD 1 && "
                              "ipset add $(ipset list -n | grep cali40s | head -1) 192.0.2.77",
                              table, chain)),
      0);
  if (IsShared()) {
    ASSERT_EQ(netns.Shell("ipset del cali40e:to 10.65.0.1,cali1"), 0);
  }
  ASSERT_EQ(netns.Shell(capture), 0);
  output.clear();
  EXPECT_EQ(Replay(netns, plan, &output), 1);
  EXPECT_THAT(output,
              HasSubstr(fmt::format("+ chain ipv4 {} FORWARD\n    + -j cali-FORWARD", table)));
  EXPECT_THAT(output, HasSubstr(fmt::format("~ chain ipv4 {} {}\n    + ", table, chain)));
  EXPECT_THAT(output, HasSubstr("    - 192.0.2.77\n"));
  if (IsShared()) {
    EXPECT_THAT(output, HasSubstr("~ set cali40e:to\n    + 10.65.0.1,cali1 0x"));
  }
  EXPECT_THAT(output,
              HasSubstr(fmt::format("1 to add, {} to change, 0 to remove", IsShared() ? 3 : 2)));
}

TEST_P(ReplayTest, RunsThroughTheKernelOfANamespaceOfItsOwn) {
  const std::string before = Dump(netns);
  std::string plain;
  std::string live;
  const std::string run = fmt::format("run -i {} --host node-1 -o json", resources.path());
  ASSERT_EQ(Replay(netns, run, &plain), 0) << plain;
  ASSERT_EQ(Replay(netns, run + " --live", &live), 0) << live;
  EXPECT_THAT(live, HasSubstr(R"("tables":{"count":1)"));
  const auto digest = [](const std::string& json) { return json.substr(json.find("\"digest\"")); };
  EXPECT_EQ(digest(live), digest(plain));
  EXPECT_EQ(Dump(netns), before);
}

TEST_P(ReplayTest, ARecordingOfFelixReplaysToTheSameRulesAndTellsHowLongItTook) {
  const ResourceDirectory output_directory;
  const std::string recording = output_directory.path() + "/rec";
  const RunResult once = RunOnce(netns, resources, "--record " + recording);
  ASSERT_EQ(once.exit_status, 0) << once.err;
  resources.Remove("e29.yaml");
  resources.Write("policy.yaml", PolicyYaml("web", 81));
  const RunResult again = RunOnce(netns, resources, "--record " + recording);
  ASSERT_EQ(again.exit_status, 0) << again.err;
  // A crash in the middle of a line.
  std::ofstream(recording, std::ios::app) << R"({"t":"step","ts":"20)";

  std::string info;
  ASSERT_EQ(Replay(netns, "info -i " + recording, &info), 0) << info;
  EXPECT_THAT(info, HasSubstr("recording, 2 steps"));
  EXPECT_THAT(info, HasSubstr("30 workload endpoints"));
  EXPECT_THAT(info, HasSubstr("commits   2, in microseconds"));
  const NetworkNamespace other;
  std::string output;
  ASSERT_EQ(Replay(other,
                   fmt::format("render -i {} --host node-1 --output-dir {}", recording,
                               output_directory.path()),
                   &output),
            0)
      << output;
  ASSERT_EQ(other.Shell(fmt::format("cd {} && ipset restore < sets && "
                                    "iptables-legacy-restore < v4 && ip6tables-legacy-restore < v6",
                                    output_directory.path()),
                        &output),
            0)
      << output;
  EXPECT_EQ(Settled(other), Settled(netns));
  EXPECT_TRUE(Holds(other, "--dports 81"));
  EXPECT_FALSE(Holds(other, "cali29"));
}

TEST_P(ReplayTest, AddsItsRulesBesideThoseOfOthers) {
  const ResourceDirectory rendered;
  std::string output;
  ASSERT_EQ(Replay(netns,
                   fmt::format("render -i {} --host node-1 --output-dir {}", resources.path(),
                               rendered.path()),
                   &output),
            0)
      << output;
  ASSERT_EQ(
      netns.Shell("iptables-legacy -A FORWARD -s 192.0.2.1 -j DROP && iptables-legacy -N mine"), 0);
  ASSERT_EQ(netns.Shell(fmt::format("cd {} && ipset restore < sets && "
                                    "iptables-legacy-restore --noflush < v4",
                                    rendered.path()),
                        &output),
            0)
      << output;
  std::string forward;
  netns.Shell("iptables-legacy -S FORWARD; iptables-legacy -S mine", &forward);
  EXPECT_THAT(forward, HasSubstr("-j cali-FORWARD\n-A FORWARD -s 192.0.2.1/32 -j DROP\n-N mine"));
}

}  // namespace
}  // namespace felix::testing
