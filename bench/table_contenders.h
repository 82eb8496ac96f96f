// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <benchmark/benchmark.h>
#include <sched.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fmt/format.h"

#include "bench/floors/tables.h"
#include "bench/stopwatch.h"
#include "compiler/ir/desired_state.h"
#include "iptables/lock_witness.h"
#include "iptables/mirrored_table.h"
#include "iptables/rule_codec.h"
#include "iptables/table.h"
#include "model/base/check.h"
#include "tests/support/network_namespace.h"

// Contenders do the same work in turn, each in a namespace of its own, within one iteration of a
// benchmark; what is reported is the median of the ratios of a turn, since the machine's speed
// changes from minute to minute and hits all alike.
namespace felix::bench {

inline absl::StatusOr<std::uint16_t> NoSets(const ir::SetKey& key) {
  return absl::NotFoundError("no set " + key.id);
}

inline void Enter(const testing::NetworkNamespace& netns) {
  FELIX_CHECK(setns(netns.fd(), CLONE_NEWNET) == 0, "cannot enter a namespace");
}

// Processor time of this thread, in the kernel too, and of the programs that it ran to their end.
// On a busy machine elapsed time punishes long calls more than short ones.
template <typename Act>
double Milliseconds(Act act) {
  return Time(act) / 1e3;
}

template <typename Act>
double ElapsedMilliseconds(Act act) {
  return Elapsed(act) / 1e3;
}

class Samples {
 public:
  void Add(double value) { values_.push_back(value); }
  [[nodiscard]] double Quantile(double share) const {
    std::vector<double> sorted = values_;
    std::sort(sorted.begin(), sorted.end());
    const auto last = static_cast<double>(sorted.size() - 1);
    return sorted.empty() ? 0 : sorted[static_cast<std::size_t>(share * last + 0.5)];
  }
  [[nodiscard]] double Median() const { return Quantile(0.5); }
  // The median of this divided by the other, turn by turn.
  [[nodiscard]] double RatioTo(const Samples& other) const {
    Samples ratios;
    for (std::size_t i = 0; i < values_.size(); ++i) ratios.Add(values_[i] / other.values_[i]);
    return ratios.Median();
  }

 private:
  std::vector<double> values_;
};

// In a namespace of the benchmark's own nobody else has a turn.
class NobodyElse final : public iptables::LockWitness {
 public:
  std::optional<std::uint64_t> Token() override { return 0; }
};

// Our engine on the filter table of one namespace. With a witness it does not read what it knows.
class Ours {
 public:
  explicit Ours(iptables::LockWitness* witness = nullptr)
      : kernel_(model::IpFamily::kV4, ir::Table::kFilter, {}, witness),
        table_(model::IpFamily::kV4, ir::Table::kFilter, kernel_, NoSets) {}

  iptables::ApplyStats Apply(const ir::DesiredDelta& delta) {
    table_.Stage(delta);
    absl::StatusOr<iptables::ApplyStats> stats = table_.Apply();
    FELIX_CHECK(stats.ok(), std::string(stats.status().message()));
    return *std::move(stats);
  }
  iptables::ApplyStats Compare() {
    table_.Resync();
    return Apply({});
  }
  [[nodiscard]] const iptables::MirroredTable::Sessions& sessions() const {
    return kernel_.sessions();
  }

 private:
  iptables::MirroredTable kernel_;
  iptables::Table table_;
};

inline constexpr int kRulesPerChain = 10;

inline ir::ChainKey ChainKeyOf(const std::string& name) {
  return {.family = model::IpFamily::kV4, .table = ir::Table::kFilter, .name = name};
}
inline std::string BlockName(int number) {
  return fmt::format("cali-block-{}", number);
}

// Ten rules as a policy has them: protocol, source, ports, verdict by goto.
inline ir::Chain Block(int number, int round) {
  ir::Chain block;
  for (int r = 0; r < kRulesPerChain; ++r) {
    const auto source = static_cast<std::uint32_t>(0x0a000000 + number * 16 + r);
    const auto port = static_cast<std::uint16_t>(1000 + (round * kRulesPerChain + r) % 50000);
    block.rules.push_back(
        ir::When(ir::AddressMatch{.net = model::Cidr::Host(model::IpAddress::V4(source))},
                 ir::ProtocolMatch{.protocol = model::kTcp},
                 ir::PortsMatch{.ranges = {{443, 443}, {port, port}}})
            .Then(ir::Goto{"cali-allow"}));
  }
  return block;
}

// `blocks` chains of ten rules, each jumped to from one chain that FORWARD leads to.
inline ir::DesiredDelta Blocks(int blocks) {
  ir::DesiredDelta delta;
  ir::Chain forward;
  for (int b = 0; b < blocks; ++b) {
    delta.chains[ChainKeyOf(BlockName(b))] = Block(b, 0);
    forward.rules.push_back(ir::When().Then(ir::Jump{BlockName(b)}));
  }
  delta.chains[ChainKeyOf("cali-FORWARD")] = std::move(forward);
  delta.chains[ChainKeyOf("cali-allow")] = {
      {ir::When().Then(ir::SetMark{.value = 0x10000, .mask = 0x10000})}};
  delta.hooks[{.family = model::IpFamily::kV4,
               .table = ir::Table::kFilter,
               .base = ir::BaseChain::kForward,
               .position = ir::HookPosition::kFirst}] = {ir::When().Then(ir::Jump{"cali-FORWARD"})};
  return delta;
}

inline NamedChain Encoded(const std::string& name, const ir::Chain& chain) {
  NamedChain encoded{.name = name, .rules = {}};
  for (const ir::Rule& rule : chain.rules) {
    absl::StatusOr<iptables::EncodedRule> bytes =
        iptables::Encode(rule, model::IpFamily::kV4, NoSets);
    FELIX_CHECK(bytes.ok(), "a rule does not encode");
    encoded.rules.push_back(*std::move(bytes));
  }
  return encoded;
}

// The main function of benchmarks of the kernel. Without root it ends with 77: not run.
inline int RunBenchmarksAsRoot(int argc, char** argv) {
  if (!testing::HasRoot()) {
    std::fputs("needs root\n", stderr);
    return 77;
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace felix::bench
