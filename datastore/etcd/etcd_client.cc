// SPDX-License-Identifier: Apache-2.0
#include "datastore/etcd/etcd_client.h"

#include <utility>

#include "fmt/format.h"

#include "datastore/etcd/etcd_keys.h"
#include "model/base/status_macros.h"

namespace felix::datastore {
namespace {

// A page of a thousand endpoints is about a megabyte and 40 ms of the server's time.
constexpr int kPageSize = 2000;

}  // namespace

EtcdClient::EtcdClient(const EtcdConfig& config) : config_(config) {}

absl::StatusOr<std::shared_ptr<HttpConnection>> EtcdClient::NewConnection() {
  auto connection = std::make_shared<HttpConnection>();
  {
    // From here on an interruption reaches it.
    const std::lock_guard lock(mutex_);
    if (interrupted_) return absl::CancelledError("connect to etcd: interrupted");
    watch_ = connection;
  }
  FELIX_RETURN_IF_ERROR(connection->Connect(endpoint_, config_.tls, config_.timing.connect));
  return connection;
}

absl::StatusOr<RangeResponse> EtcdClient::Connect(const EtcdEndpoint& endpoint) {
  endpoint_ = endpoint;
  absl::StatusOr<std::shared_ptr<HttpConnection>> connection = NewConnection();
  if (!connection.ok()) return connection.status();
  {
    const std::lock_guard lock(mutex_);
    requests_ = *std::move(connection);
    watch_.reset();
  }
  absl::Status authenticated = Authenticate();
  absl::StatusOr<RangeResponse> now = authenticated.ok() ? Probe() : authenticated;
  if (!absl::IsUnimplemented(now.status())) return now;
  base_ = "/v3beta";
  FELIX_RETURN_IF_ERROR(Authenticate());
  return Probe();
}

absl::StatusOr<std::string> EtcdClient::Post(std::string_view path, std::string_view body,
                                             HttpConnection::Clock::duration time_limit) {
  absl::StatusOr<HttpResponse> response =
      requests_->Post(base_ + std::string(path), token_, body, time_limit);
  if (!response.ok()) return response.status();
  if (response->status != 200) return StatusFromError(response->status, response->body);
  return std::move(response->body);
}

absl::StatusOr<std::string> EtcdClient::Ask(std::string_view path, std::string_view body,
                                            HttpConnection::Clock::duration time_limit) {
  absl::StatusOr<std::string> answer = Post(path, body, time_limit);
  if (!absl::IsUnauthenticated(answer.status()) || config_.user.empty()) return answer;
  FELIX_RETURN_IF_ERROR(Authenticate());
  return Post(path, body, time_limit);
}

absl::Status EtcdClient::Authenticate() {
  token_.clear();
  if (config_.user.empty()) return absl::OkStatus();
  const absl::StatusOr<std::string> body =
      Post("/auth/authenticate", AuthenticateRequest(config_.user, config_.password),
           config_.timing.answer);
  // The gateway answers this way where authentication is off: then no token is needed.
  if (absl::IsFailedPrecondition(body.status())) return absl::OkStatus();
  if (!body.ok()) return body.status();
  FELIX_ASSIGN_OR_RETURN(token_, ParseToken(*body));
  return absl::OkStatus();
}

absl::StatusOr<RangeResponse> EtcdClient::Probe() {
  const absl::StatusOr<std::string> body =
      Ask("/kv/range",
          RangeRequest(kClusterInformationKey, std::string(kClusterInformationKey) + '\0', 0, 1),
          config_.timing.probe);
  if (!body.ok()) return body.status();
  return ParseRangeResponse(*body);
}

absl::StatusOr<RangeResponse> EtcdClient::ReadRange(std::string_view start, std::string_view end,
                                                    const OnPage& on_page) {
  const std::string path = base_ + "/kv/range";
  absl::StatusOr<std::string> body =
      Ask("/kv/range", RangeRequest(start, end, 0, kPageSize), config_.timing.answer);
  if (!body.ok()) return body.status();
  RangeResponse first;
  while (true) {
    absl::StatusOr<RangeResponse> page = ParseRangeResponse(*body);
    if (!page.ok()) return page.status();
    if (first.revision == 0) {
      first.revision = page->revision;
      first.cluster_id = page->cluster_id;
    }
    if (page->values.empty()) return first;
    const bool more = page->more;
    if (more) {
      // The server looks for the next page while this one is worked on.
      const std::string next = page->values.back().key + '\0';
      FELIX_RETURN_IF_ERROR(requests_->StartPost(
          path, token_, RangeRequest(next, end, first.revision, kPageSize), config_.timing.answer));
    }
    on_page(std::move(page->values));
    if (!more) return first;
    absl::StatusOr<HttpResponse> response = requests_->Receive(config_.timing.answer);
    if (!response.ok()) return response.status();
    if (response->status != 200) return StatusFromError(response->status, response->body);
    body = std::move(response->body);
  }
}

absl::Status EtcdClient::Put(std::string_view key, std::string_view value, std::int64_t lease) {
  return Ask("/kv/put", PutRequest(key, value, lease), config_.timing.answer).status();
}

absl::Status EtcdClient::Delete(std::string_view key) {
  return Ask("/kv/deleterange", DeleteRequest(key), config_.timing.answer).status();
}

absl::StatusOr<std::int64_t> EtcdClient::GrantLease(std::chrono::seconds lifetime) {
  const absl::StatusOr<std::string> body =
      Ask("/lease/grant", LeaseRequest(lifetime.count()), config_.timing.answer);
  if (!body.ok()) return body.status();
  return ParseLease(*body);
}

absl::Status EtcdClient::Watch(std::string_view start, std::string_view end,
                               std::int64_t start_revision) {
  absl::StatusOr<std::shared_ptr<HttpConnection>> connection = NewConnection();
  if (!connection.ok()) return connection.status();
  const absl::StatusOr<HttpResponse> response =
      (*connection)
          ->OpenStream(base_ + "/watch", token_, WatchRequest(start, end, start_revision),
                       config_.timing.answer);
  if (!response.ok()) return response.status();
  if (response->status != 200) return StatusFromError(response->status, response->body);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<WatchMessage>> EtcdClient::Next(
    HttpConnection::Clock::duration time_limit) {
  const absl::StatusOr<std::optional<std::string_view>> line = watch_->ReadLine(time_limit);
  if (!line.ok()) return line.status();
  if (!*line) return std::optional<WatchMessage>();
  absl::StatusOr<WatchMessage> message = ParseWatchMessage(**line);
  if (!message.ok()) return message.status();
  return std::optional<WatchMessage>(*std::move(message));
}

void EtcdClient::Interrupt() {
  const std::lock_guard lock(mutex_);
  interrupted_ = true;
  if (requests_) requests_->Interrupt();
  if (watch_) watch_->Interrupt();
}

}  // namespace felix::datastore
