// SPDX-License-Identifier: Apache-2.0
#pragma once

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

struct EtcdConfig {
  std::vector<EtcdEndpoint> endpoints;  // at least one
  TlsFiles tls;
  std::string user;  // empty: no authentication
  std::string password;
};

// One member of an etcd cluster, by its JSON gateway: reads of a range, and one watch. Asks which
// path the gateway has (v3, or v3beta of etcd 3.3), and gets a token where a user is named. For one
// thread; Interrupt from any. Errors as those of HttpConnection and StatusFromError; after an error
// other than kOutOfRange the client is of no more use.
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

  // Follows the range from that revision on. Replaces an earlier watch.
  absl::Status Watch(std::string_view start, std::string_view end, std::int64_t start_revision);
  // What happened, or none within the time.
  absl::StatusOr<std::optional<WatchMessage>> Next(HttpConnection::Clock::duration time_limit);

  void Interrupt();

 private:
  absl::StatusOr<std::string> Ask(std::string_view path, std::string_view body,
                                  HttpConnection::Clock::duration time_limit);
  // Gets a token where one is needed; then as Probe.
  absl::StatusOr<RangeResponse> Authenticate();
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
