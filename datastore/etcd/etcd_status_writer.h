// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"

#include "datastore/etcd/etcd_client.h"
#include "datastore/status_writer.h"

namespace felix::datastore {

// Tells an etcd how this host and its endpoints fare, on a thread of its own, which begins with the
// first report that has something to tell. At most one endpoint is written in each interval (give
// or take a tenth, so that hosts do not march in step); what failed is first again. Before the
// first endpoint, and after every 180 intervals, what the store says of this host is read and made
// right. A write has two seconds.
class EtcdStatusWriter final : public StatusWriter {
 public:
  explicit EtcdStatusWriter(EtcdConfig config);
  ~EtcdStatusWriter() override;
  EtcdStatusWriter(const EtcdStatusWriter&) = delete;
  EtcdStatusWriter& operator=(const EtcdStatusWriter&) = delete;

  void Report(StatusReport report) override;
  void Stop() override;

 private:
  using Clock = std::chrono::steady_clock;
  using Act = std::function<absl::Status(EtcdClient& client)>;

  void Run();
  void TakeReport(StatusReport report);
  // Returns when there is something to do next.
  Clock::time_point Turn(Clock::time_point now);
  void WriteHost(Clock::time_point now);
  void ReadWritten(Clock::time_point now);
  void WriteOneEndpoint(Clock::time_point now);
  // A key whose text is not what it should be: the next one after the last that was written.
  [[nodiscard]] const std::string* NextDifference() const;
  // By the connection that there is, or else by a new one.
  absl::Status Do(const Act& act);
  absl::Status Connect();
  [[nodiscard]] Clock::duration Spread(std::chrono::milliseconds duration);

  const EtcdConfig config_;
  const Clock::time_point started_ = Clock::now();
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  bool has_news_ = false;
  StatusReport news_;                   // guarded by mutex_, like those above
  std::shared_ptr<EtcdClient> client_;  // changed under mutex_, by the thread

  // Of the thread alone.
  std::minstd_rand random_{std::random_device{}()};
  StatusReport report_;
  absl::btree_map<std::string, std::string> wanted_;   // texts of endpoints by key
  absl::btree_map<std::string, std::string> written_;  // the same, in the store
  bool knows_written_ = false;
  std::string last_key_;
  bool told_host_ = false;
  std::size_t endpoint_ = 0;  // of etcd, of the next connection
  Clock::time_point host_due_;
  Clock::time_point read_due_;
  Clock::time_point write_due_;
  std::thread thread_;
};

}  // namespace felix::datastore
