// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"

#include "datastore/delivery.h"
#include "datastore/etcd/etcd_client.h"
#include "datastore/etcd/http_connection.h"
#include "datastore/etcd/session_loop.h"
#include "datastore/etcd/v2_messages.h"
#include "datastore/resource_table.h"
#include "datastore/source.h"
#include "datastore/source_tap.h"

namespace felix::datastore {

// An etcd's older API (v2, of servers up to 3.5 with --enable-v2) as the source, for Calico's older
// keys alone: a store of its own, apart from that of the API v3. Reads the whole tree, then asks
// for one event after the other by its index. Where etcd no longer keeps that event (it keeps a
// thousand), or counts from an earlier one, the tree is read anew, and only what differs is
// delivered. A server that no longer answers is noticed within 20 s. `user` is for basic
// authentication.
class EtcdV2Source final : public Source {
 public:
  explicit EtcdV2Source(EtcdConfig config, SourceTap* tap = nullptr);

  // Errors: those of SessionLoop.
  absl::Status Start(Sink& sink) override;
  void Resync() override;
  void Stop() override;
  [[nodiscard]] absl::btree_map<std::string, std::size_t> IgnoredKinds() const override;

 private:
  absl::Status Session(const EtcdEndpoint& endpoint);
  absl::Status List(HttpConnection& connection);
  // Waits for the next event and applies it. kDeadlineExceeded: there was none; the connection is
  // at its end, and nothing is wrong.
  absl::Status FollowOne(HttpConnection& connection);
  void Apply(const V2Event& event);
  void SetKey(const KeyValue& value);
  void RemoveKey(const std::string& key);
  void Deliver(bool listed);
  [[nodiscard]] std::string Authorization() const;

  const EtcdConfig config_;
  SourceTap* const tap_;
  Sink* sink_ = nullptr;

  // Of the source's thread alone.
  ResourceTable table_;
  absl::btree_map<std::string, std::int64_t> indexes_;  // of each key, when it was changed last
  std::int64_t index_ = 0;                              // all up to it is known; 0: nothing is
  Delivery delivery_;

  SessionLoop loop_;  // ends before the others
};

}  // namespace felix::datastore
