// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/address.h"
#include "model/port.h"
#include "tests/support/network_namespace.h"

namespace felix::testing {

using LinkAddress = std::array<std::uint8_t, 6>;
using ReceiveBytes = std::function<void(std::span<const std::uint8_t>)>;

// Writes and reads whole IP packets at one interface of a namespace, below its IP stack. Sees only
// what comes in. Failures end the process.
class LinkSocket {
 public:
  LinkSocket(const NetworkNamespace& where, const std::string& interface_name,
             const LinkAddress& own, const LinkAddress& peer);
  ~LinkSocket();
  LinkSocket(const LinkSocket&) = delete;
  LinkSocket& operator=(const LinkSocket&) = delete;

  void Write(std::span<const std::uint8_t> ip_packet) const;
  void Drain(const ReceiveBytes& receive) const;  // never waits
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_ = -1;
  LinkAddress own_;
  LinkAddress peer_;
};

// Sends whole IP packets from a namespace and takes what its stack delivers locally, behind the
// input hook. IPv4 packets are received whole, of IPv6 ones only what follows the header.
class LocalSockets {
 public:
  explicit LocalSockets(const NetworkNamespace& where);
  ~LocalSockets();
  LocalSockets(const LocalSockets&) = delete;
  LocalSockets& operator=(const LocalSockets&) = delete;

  // What a hook or the routing refuses is lost without a word.
  void Write(const model::IpAddress& destination, std::span<const std::uint8_t> ip_packet) const;
  // Only what is listened for is taken.
  void Listen(model::IpFamily family, model::Protocol protocol);
  void Drain(const ReceiveBytes& receive) const;  // never waits
  [[nodiscard]] std::vector<int> fds() const;

 private:
  const NetworkNamespace& where_;
  std::map<model::IpFamily, int> senders_;
  std::map<std::pair<model::IpFamily, model::Protocol>, int> receivers_;
};

}  // namespace felix::testing
