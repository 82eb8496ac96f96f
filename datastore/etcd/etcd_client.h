// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "datastore/etcd/etcd_address.h"
#include "datastore/etcd/gateway_messages.h"
#include "datastore/etcd/http_connection.h"

namespace felix::datastore {

// How long to wait for what. The sum of the last three bounds the time in which a server that no
// longer answers is noticed.
struct EtcdTiming {
  using Duration = std::chrono::milliseconds;
  Duration connect{5'000};
  Duration answer{10'000};
  Duration probe_after{5'000};  // a watch that is silent for so long has its server asked
  Duration probe{5'000};        // in which that is to be answered
  // A watch whose server has news, though none need be for us, while it is silent: it is opened
  // anew, after twice as long each time that this brought nothing.
  Duration reopen_after{10'000};
};

struct EtcdConfig {
  std::vector<EtcdEndpoint> endpoints;  // at least one
  TlsFiles tls = {};
  std::string user = {};  // empty: no authentication
  std::string password = {};
  EtcdTiming timing = {};
};

// One member of an etcd cluster, by its JSON gateway: reads of a range, writes, and one
// watch. Asks which
// path the gateway has (v3, or v3beta of etcd 3.3), and gets a token where a user is named, and
// another one when that expires. For one thread; Interrupt from any. Errors as those of
// HttpConnection and StatusFromError; after an error other than kOutOfRange the client is of no
// more use.
class EtcdClient {
 public:
  explicit EtcdClient(const EtcdConfig& config);

  // Returns what Probe does.
  absl::StatusOr<RangeResponse> Connect(const EtcdEndpoint& endpoint);

  // Every key of the range and its value at one revision, page by page. Returns that revision.
  using OnPage = std::function<void(std::vector<KeyValue> values)>;
  absl::StatusOr<RangeResponse> ReadRange(std::string_view start, std::string_view end,
                                          const OnPage& on_page);
  // The revision that the cluster has agreed on by now: an answer means that this member is alive
  // and not cut off from the others.
  absl::StatusOr<RangeResponse> Probe();

  // `lease` 0: for ever.
  absl::Status Put(std::string_view key, std::string_view value, std::int64_t lease);
  absl::Status Delete(std::string_view key);
  absl::StatusOr<std::int64_t> GrantLease(std::chrono::seconds lifetime);

  // Follows the range from that revision on. Replaces an earlier watch.
  absl::Status Watch(std::string_view start, std::string_view end, std::int64_t start_revision);
  // What happened, or none within the time.
  absl::StatusOr<std::optional<WatchMessage>> Next(HttpConnection::Clock::duration time_limit);

  void Interrupt();

 private:
  absl::StatusOr<std::string> Ask(std::string_view path, std::string_view body,
                                  HttpConnection::Clock::duration time_limit);
  // Ask, once.
  absl::StatusOr<std::string> Post(std::string_view path, std::string_view body,
                                   HttpConnection::Clock::duration time_limit);
  // Gets a token where one is needed.
  absl::Status Authenticate();
  absl::StatusOr<std::shared_ptr<HttpConnection>> NewConnection();

  const EtcdConfig& config_;
  EtcdEndpoint endpoint_;
  std::string base_ = "/v3";
  std::string token_;
  std::mutex mutex_;  // of the pointers, for Interrupt
  bool interrupted_ = false;
  std::shared_ptr<HttpConnection> requests_;
  std::shared_ptr<HttpConnection> watch_;
};

}  // namespace felix::datastore
