// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "datastore/etcd/etcd_address.h"
#include "datastore/etcd/http_connection.h"

namespace felix {

struct EtcdServerOptions {
  std::vector<std::string> arguments = {};  // beyond those that every server gets
  bool tls = false;
  datastore::TlsFiles files = {};  // with which this object asks a server that has TLS
  std::string user = {};           // and as whom, once the store has users
  std::string password = {};
  // Of a member of a cluster of several, see EtcdCluster, which waits for it itself.
  std::string name = "test";
  int peer_port = 0;                 // 0: any
  std::string initial_cluster = {};  // empty: alone
  unsigned int user_id = 0;          // of its process
};

[[nodiscard]] int FreePort();

// A real etcd (Debian's etcd-server), by itself or one of a cluster, on loopback, with a data
// directory of its own. What goes wrong with it fails the test by name. The process ends with this
// object.
class EtcdServer {
 public:
  explicit EtcdServer(EtcdServerOptions options = {});
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
  void AwaitAnswers() const;

  // A gateway request; returns the body. Anything but status 200 fails the test.
  std::string Ask(std::string_view path, std::string_view body) const;
  // The same with the token that a gateway gave.
  std::string AskAs(std::string_view token, std::string_view path, std::string_view body) const;
  // Makes the user of the options the root of this store, from whom on everybody needs a token.
  void EnableUsers() const;
  void Put(std::string_view key, std::string_view value) const;
  void Delete(std::string_view key) const;
  // Both in one revision.
  void PutTwo(std::string_view key1, std::string_view value1, std::string_view key2,
              std::string_view value2) const;
  [[nodiscard]] std::int64_t Revision() const;
  void Compact() const;  // all that is past

 private:
  EtcdServerOptions options_;
  void Launch();

  std::filesystem::path directory_;
  datastore::EtcdEndpoint endpoint_;
  datastore::EtcdEndpoint served_;  // where it is now
  int peer_port_ = 0;
  pid_t pid_ = -1;
  mutable bool has_users_ = false;
};

}  // namespace felix
