// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "datastore/etcd/etcd_address.h"

namespace felix {

// A real etcd (Debian's etcd-server) of one member on loopback, with a data directory of its own.
// What goes wrong with it fails the test by name. The process ends with this object.
class EtcdServer {
 public:
  explicit EtcdServer(std::vector<std::string> arguments = {});
  ~EtcdServer();
  EtcdServer(const EtcdServer&) = delete;
  EtcdServer& operator=(const EtcdServer&) = delete;

  // With the same data each time, and at endpoint(), unless hidden: where this object alone finds
  // it.
  void Start(bool hidden = false);
  void Kill();         // SIGKILL
  void Suspend();      // SIGSTOP: connections stay, and nothing answers
  void Resume();       // SIGCONT
  void SaveData();     // of a server that does not run
  void RestoreData();  // what SaveData kept: the past comes back
  [[nodiscard]] datastore::EtcdEndpoint endpoint() const { return endpoint_; }

  // A gateway request; returns the body. Anything but status 200 fails the test.
  std::string Ask(std::string_view path, std::string_view body) const;
  void Put(std::string_view key, std::string_view value) const;
  void Delete(std::string_view key) const;
  // Both in one revision.
  void PutTwo(std::string_view key1, std::string_view value1, std::string_view key2,
              std::string_view value2) const;
  [[nodiscard]] std::int64_t Revision() const;
  void Compact() const;  // all that is past

 private:
  std::vector<std::string> arguments_;
  std::filesystem::path directory_;
  datastore::EtcdEndpoint endpoint_;
  datastore::EtcdEndpoint served_;  // where it is now
  int peer_port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace felix
