// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "compiler/graph.h"
#include "felix/clock.h"
#include "felix/dataplane.h"
#include "felix/host_kernel.h"
#include "model/update.h"
#include "tests/support/network_namespace.h"

namespace felix::bench {

// What a host is like before anything is measured.
struct HostSize {
  compiler::ChainLayout layout = compiler::ChainLayout::kShared;
  bool ipv6 = false;  // both families instead of IPv4 alone
  std::uint32_t containers = 100;
  std::uint32_t shapes = 16;      // as many policies, each of its own containers
  std::uint32_t selectors = 100;  // of peers in rules: so many sets in each family
  std::uint32_t memberships = 2;  // of one container in these sets, in each family
};

// A host with containers in a network namespace of its own: compiler and data plane as the daemon
// has them, without what hears the datastore. What fails ends the program. Container n has its
// number in its address (10.0.0.0 + n, fd00:: + n) and in the name of its interface.
class ContainerHost {
 public:
  explicit ContainerHost(const HostSize& size);

  [[nodiscard]] model::Update Start(std::uint32_t number) const;
  // A container that a policy governs which governs no other one of its policies.
  [[nodiscard]] model::Update StartOfNewShape(std::uint32_t number) const;
  [[nodiscard]] model::Update Stop(std::uint32_t number) const;

  // From the compiler's input to the kernel's acknowledgement, in microseconds.
  double Push(std::span<const model::Update> updates);
  // The same until nothing is left to do.
  void Settle(std::span<const model::Update> updates);
  // Gives up the shapes that nobody uses.
  void DropIdleShapes();
  // The calling thread goes to the host's namespace. Push does so too.
  void Enter() const;

  [[nodiscard]] const ir::DesiredDelta& delta() const { return delta_; }  // of the last Push
  [[nodiscard]] const ApplyReport& report() const { return report_; }     // of the last Push
  [[nodiscard]] const compiler::Graph& graph() const { return graph_; }
  [[nodiscard]] const testing::NetworkNamespace& netns() const { return netns_; }
  [[nodiscard]] ipset::KernelSets& sets() { return kernel_->sets(); }
  [[nodiscard]] const HostSize& size() const { return size_; }

  // Microseconds of each Push since the last call, by stage: updates, flush, stage, apply, applied.
  struct Stages {
    std::vector<double> updates, flush, stage, apply, applied;
  };
  Stages TakeStages() { return std::exchange(stages_, {}); }

 private:
  [[nodiscard]] std::vector<model::Update> Policies() const;

  HostSize size_;
  testing::NetworkNamespace netns_;
  SystemClock clock_;
  compiler::Graph graph_;
  std::unique_ptr<HostKernel> kernel_;
  std::unique_ptr<Dataplane> dataplane_;
  ir::DesiredDelta delta_;
  ApplyReport report_;
  Stages stages_;
};

[[nodiscard]] std::string InterfaceOf(std::uint32_t number);
[[nodiscard]] model::IpAddress AddressOf(std::uint32_t number, model::IpFamily family);

}  // namespace felix::bench
