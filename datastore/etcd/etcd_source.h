// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/container/btree_map.h"

#include "datastore/delivery.h"
#include "datastore/etcd/etcd_client.h"
#include "datastore/etcd/known_history.h"
#include "datastore/etcd/session_loop.h"
#include "datastore/resource_table.h"
#include "datastore/source.h"
#include "datastore/source_tap.h"

namespace felix::datastore {

// A cluster's etcd (v3, by its JSON gateway) as the source: what calicoctl and the CNI plug-in
// write, and Calico's older keys. Reads all of it at one revision, then follows it from the next
// one; each batch it delivers is a whole number of revisions. Lost connections are taken up where
// they broke off, at the next of the endpoints; only where etcd no longer has that revision, or its
// history is another (see KnownHistory), is everything read again, and then only what differs is
// delivered. While
// there is no connection, or the store says that it is not to be used, what was delivered stays.
// A server that no longer answers is noticed within 20 s.
class EtcdSource final : public Source {
 public:
  explicit EtcdSource(EtcdConfig config, SourceTap* tap = nullptr);

  // Errors: kInvalidArgument if no endpoint is named, kFailedPrecondition the second time.
  absl::Status Start(Sink& sink) override;
  void Resync() override;
  void Stop() override;
  [[nodiscard]] absl::btree_map<std::string, std::size_t> IgnoredKinds() const override;

 private:
  // One connection to one endpoint, until it fails.
  absl::Status Session(const EtcdEndpoint& endpoint);
  absl::Status List(EtcdClient& client);
  absl::Status Follow(EtcdClient& client);
  absl::Status Apply(const WatchMessage& message);
  // The watch is silent, and its server was asked why.
  absl::Status CheckSilence(const absl::StatusOr<RangeResponse>& now);
  void SetKey(const KeyValue& value);
  void RemoveKey(const std::string& key);
  [[nodiscard]] std::optional<std::string> WhyNotReady() const;

  const EtcdConfig config_;
  SourceTap* const tap_;
  Sink* sink_ = nullptr;

  // Of the source's thread alone.
  ResourceTable table_;
  KnownHistory history_;
  std::optional<bool> cluster_is_ready_;  // what ClusterInformation says, if it is there
  Delivery delivery_;
  HttpConnection::Clock::time_point last_news_;
  std::int64_t opened_at_ = 0;              // the store's revision when the watch was opened
  EtcdTiming::Duration reopen_after_ = {};  // grows while opening anew brings nothing

  SessionLoop loop_;  // ends before the others
};

}  // namespace felix::datastore
