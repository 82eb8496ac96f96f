// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "tests/support/etcd_server.h"

namespace felix {

// Three members of one etcd, in the network namespace of the thread that makes it, which must not
// be the machine's: the cuts are firewall rules there. Needs root.
class EtcdCluster {
 public:
  static constexpr std::size_t kSize = 3;
  EtcdCluster();

  [[nodiscard]] EtcdServer& member(std::size_t i) { return *members_[i]; }
  [[nodiscard]] std::vector<datastore::EtcdEndpoint> endpoints() const;
  // Takes the member from the others; its clients still reach it.
  void CutOff(std::size_t i) const;
  void Heal() const;

 private:
  std::array<int, kSize> peer_ports_ = {};
  std::array<std::unique_ptr<EtcdServer>, kSize> members_;
};

}  // namespace felix
