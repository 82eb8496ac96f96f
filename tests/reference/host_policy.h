// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "compiler/options.h"
#include "tests/reference/cluster_view.h"
#include "tests/reference/opinion.h"
#include "tests/support/packet.h"

namespace felix::reference {

// What the host endpoints of this host say of a packet at each place of its way where they are
// asked. Direction is that of the host: ingress is what comes in by the interface.
class HostPolicy {
 public:
  HostPolicy(const ClusterView& cluster, const compiler::Options& options)
      : cluster_(cluster), options_(options) {}

  // Whether the interface has a host endpoint, its own or the one for all others.
  [[nodiscard]] bool Covers(const std::string& interface_name) const;

  // Before connection tracking, with the destination as it came.
  [[nodiscard]] Opinion Untracked(const std::string& interface_name, Direction direction,
                                  const testing::Packet& packet) const;
  // Before destinations are translated; what belongs to a known flow is not asked about.
  [[nodiscard]] Opinion PreDnat(const testing::Packet& packet) const;
  // Of what is forwarded. Never silent. Precondition: Covers().
  [[nodiscard]] Opinion Forwarded(const std::string& interface_name, Direction direction,
                                  const testing::Packet& packet) const;
  // Of the host's own traffic. Never silent. Precondition: Covers().
  [[nodiscard]] Opinion OfHost(const std::string& interface_name, Direction direction,
                               const testing::Packet& packet) const;
  // Whether the port is one that the host's own policy leaves open.
  [[nodiscard]] bool IsFailsafe(Direction direction, const testing::Packet& packet) const;

 private:
  [[nodiscard]] const model::HostEndpoint* EndpointOf(const std::string& interface_name) const;
  // Without connection tracking an answer is known by where it comes from.
  [[nodiscard]] bool AnswersFailsafe(Direction direction, const testing::Packet& packet) const;

  const ClusterView& cluster_;
  const compiler::Options& options_;
};

}  // namespace felix::reference
