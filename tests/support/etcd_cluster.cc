// SPDX-License-Identifier: Apache-2.0
#include "tests/support/etcd_cluster.h"

#include <cstdlib>
#include <string>

#include "fmt/format.h"
#include "gtest/gtest.h"

namespace felix {
namespace {

// By its owner a packet from a member is known. Anything but the machine's own users will do.
unsigned int UserOf(std::size_t member) {
  return 61'000U + static_cast<unsigned int>(member);
}

void Shell(const std::string& command) {
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
}

}  // namespace

EtcdCluster::EtcdCluster() {
  std::string cluster;
  for (std::size_t i = 0; i < kSize; ++i) {
    peer_ports_.at(i) = FreePort();
    cluster += fmt::format("{}m{}=http://127.0.0.1:{}", i == 0 ? "" : ",", i, peer_ports_.at(i));
  }
  for (std::size_t i = 0; i < kSize; ++i) {
    members_.at(i) = std::make_unique<EtcdServer>(EtcdServerOptions{.name = fmt::format("m{}", i),
                                                                    .peer_port = peer_ports_.at(i),
                                                                    .initial_cluster = cluster,
                                                                    .user_id = UserOf(i)});
  }
  for (const auto& member : members_) member->AwaitAnswers();
}

std::vector<datastore::EtcdEndpoint> EtcdCluster::endpoints() const {
  std::vector<datastore::EtcdEndpoint> endpoints;
  for (const auto& member : members_) endpoints.push_back(member->endpoint());
  return endpoints;
}

void EtcdCluster::CutOff(std::size_t i) const {
  Shell(fmt::format("iptables-legacy -w -I OUTPUT -p tcp --dport {} -j DROP", peer_ports_.at(i)));
  Shell(
      fmt::format("iptables-legacy -w -I OUTPUT -p tcp -m owner --uid-owner {} ! --sport {} "
                  "-j DROP",
                  UserOf(i), members_.at(i)->endpoint().port));
}

void EtcdCluster::Heal() const {
  Shell("iptables-legacy -w -F OUTPUT");
}

}  // namespace felix
