// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/container/btree_map.h"

#include "datastore/delivery.h"
#include "datastore/etcd/etcd_client.h"
#include "datastore/resource_table.h"
#include "datastore/source.h"

namespace felix::datastore {

// A cluster's etcd (v3, by its JSON gateway) as the source: what calicoctl and the CNI plug-in
// write, and Calico's older keys. Reads all of it at one revision, then follows it from the next
// one; each batch it delivers is a whole number of revisions. Lost connections are taken up where
// they broke off, at the next of the endpoints; only where etcd no longer has that revision, or its
// history is another, is everything read again, and then only what differs is delivered. While
// there is no connection, or the store says that it is not to be used, what was delivered stays.
// A server that no longer answers is noticed within 20 s.
class EtcdSource final : public Source {
 public:
  explicit EtcdSource(EtcdConfig config);
  ~EtcdSource() override;
  EtcdSource(const EtcdSource&) = delete;
  EtcdSource& operator=(const EtcdSource&) = delete;

  // Errors: kInvalidArgument if no endpoint is named, kFailedPrecondition the second time.
  absl::Status Start(Sink& sink) override;
  void Resync() override;
  void Stop() override;
  [[nodiscard]] absl::btree_map<std::string, std::size_t> IgnoredKinds() const override;

 private:
  void Run();
  // One connection to one endpoint, until it fails.
  absl::Status Session(const EtcdEndpoint& endpoint);
  absl::Status List(EtcdClient& client);
  absl::Status Follow(EtcdClient& client);
  absl::Status Apply(const WatchMessage& message);
  // Whether the server, which said this, is alive; what we know counts only if its history is ours.
  absl::Status CheckHistory(const absl::StatusOr<RangeResponse>& now);
  void SetKey(const KeyValue& value);
  void RemoveKey(const std::string& key);
  [[nodiscard]] std::optional<std::string> WhyNotReady() const;
  void Pause(std::chrono::milliseconds duration);

  const EtcdConfig config_;
  Sink* sink_ = nullptr;
  std::thread thread_;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> resync_ = false;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::shared_ptr<EtcdClient> client_;  // guarded by mutex_

  // Of the source's thread alone.
  ResourceTable table_;
  absl::btree_map<std::string, std::int64_t> revisions_;  // of each key, when it was changed last
  std::int64_t revision_ = 0;                             // all up to it is known; 0: nothing is
  std::uint64_t cluster_id_ = 0;
  std::optional<bool> cluster_is_ready_;  // what ClusterInformation says, if it is there
  Delivery delivery_;
  bool made_progress_ = false;
};

}  // namespace felix::datastore
