// SPDX-License-Identifier: Apache-2.0
#include "datastore/etcd/etcd_v2_source.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/container/btree_set.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "fmt/format.h"

#include "datastore/etcd/etcd_keys.h"
#include "model/base/status_macros.h"
#include "model/base/strings.h"

namespace felix::datastore {
namespace {

constexpr std::string_view kTree = "/v2/keys/calico/v1";
constexpr std::string_view kReady = "/v2/keys/calico/v1/Ready?quorum=true";
constexpr std::string_view kReadyKey = "/calico/v1/Ready";

absl::StatusOr<std::int64_t> IndexOf(const HttpResponse& response) {
  std::int64_t index = 0;
  if (absl::SimpleAtoi(ToAbsl(response.index), &index)) return index;
  if (response.status == 404) {
    return absl::UnavailableError("etcd does not serve its v2 API: it needs --enable-v2");
  }
  if (response.status == 401) {
    return absl::UnauthenticatedError(
        "etcd refuses the v2 request: give a user name and a password (ETCD_USERNAME, "
        "ETCD_PASSWORD)");
  }
  return absl::UnavailableError(fmt::format("etcd answers with status {}: '{}'", response.status,
                                            response.body.substr(0, 80)));
}

}  // namespace

EtcdV2Source::EtcdV2Source(EtcdConfig config, SourceTap* tap)
    : config_(std::move(config)),
      tap_(tap),
      loop_(config_.endpoints, [this](const EtcdEndpoint& endpoint) { return Session(endpoint); }) {
}

absl::Status EtcdV2Source::Start(Sink& sink) {
  if (sink_ == nullptr) sink_ = &sink;
  return loop_.Start(sink);
}

void EtcdV2Source::Resync() {
  loop_.Resync();
}

void EtcdV2Source::Stop() {
  loop_.Stop();
}

absl::btree_map<std::string, std::size_t> EtcdV2Source::IgnoredKinds() const {
  return delivery_.IgnoredKinds();
}

std::string EtcdV2Source::Authorization() const {
  if (config_.user.empty()) return {};
  return "Basic " + absl::Base64Escape(config_.user + ":" + config_.password);
}

absl::Status EtcdV2Source::Session(const EtcdEndpoint& endpoint) {
  while (true) {
    const auto connection = std::make_shared<HttpConnection>();
    FELIX_ASSIGN_OR_RETURN(const bool anew, loop_.Begin([connection] { connection->Interrupt(); }));
    if (anew) index_ = 0;
    FELIX_RETURN_IF_ERROR(connection->Connect(endpoint, config_.tls, config_.timing.connect));
    // An answer that the members agree on shows that the server is alive, and where it is.
    const absl::StatusOr<HttpResponse> ready =
        connection->Get(kReady, Authorization(), config_.timing.probe);
    if (!ready.ok()) return ready.status();
    FELIX_ASSIGN_OR_RETURN(const std::int64_t now, IndexOf(*ready));
    if (now < index_) {
      // Another history: the same index means another value.
      index_ = 0;
      for (auto& [key, index] : indexes_) index = 0;
    }
    absl::Status status;
    while (status.ok()) {
      if (index_ == 0) FELIX_RETURN_IF_ERROR(List(*connection));
      loop_.NoteProgress();
      status = FollowOne(*connection);
      if (!absl::IsOutOfRange(status)) continue;
      index_ = 0;
      status = absl::OkStatus();
    }
    if (!absl::IsDeadlineExceeded(status)) return status;
  }
}

absl::Status EtcdV2Source::List(HttpConnection& connection) {
  const absl::StatusOr<HttpResponse> response = connection.Get(
      fmt::format("{}?recursive=true&quorum=true", kTree), Authorization(), config_.timing.answer);
  if (!response.ok()) return response.status();
  FELIX_ASSIGN_OR_RETURN(const std::int64_t index, IndexOf(*response));
  const absl::StatusOr<std::vector<KeyValue>> values = ParseV2Tree(response->body);
  if (!values.ok()) return values.status();
  absl::btree_set<std::string> seen;
  for (const KeyValue& value : *values) {
    SetKey(value);
    seen.insert(value.key);
  }
  std::vector<std::string> gone;
  for (const auto& [key, known] : indexes_) {
    if (!seen.contains(key)) gone.push_back(key);
  }
  for (const std::string& key : gone) RemoveKey(key);
  index_ = std::max<std::int64_t>(index, 1);
  delivery_.TellHoldAgain();
  Deliver(true);
  return absl::OkStatus();
}

absl::Status EtcdV2Source::FollowOne(HttpConnection& connection) {
  const absl::StatusOr<HttpResponse> head = connection.OpenGetStream(
      fmt::format("{}?wait=true&recursive=true&waitIndex={}", kTree, index_ + 1), Authorization(),
      config_.timing.answer);
  if (!head.ok()) {
    // Too late is too late here: the head comes at once.
    return absl::UnavailableError(head.status().message());
  }
  if (head->status != 200) {
    const absl::StatusOr<V2Event> error = ParseV2Event(head->body);
    if (!error.ok()) return error.status();
  }
  FELIX_ASSIGN_OR_RETURN(const std::int64_t now, IndexOf(*head));
  const absl::StatusOr<std::optional<std::string_view>> line =
      connection.ReadLine(config_.timing.probe_after);
  // What etcd ended without an event, it ended for its own reasons.
  if (!line.ok()) return line.status();
  if (!*line) {
    // Nothing had happened up to where it was when it began to wait.
    index_ = std::max(index_, now);
    return absl::DeadlineExceededError("no event");
  }
  const absl::StatusOr<V2Event> event = ParseV2Event(**line);
  if (!event.ok()) return event.status();
  FELIX_RETURN_IF_ERROR(connection.FinishStream(config_.timing.answer));
  Apply(*event);
  return absl::OkStatus();
}

void EtcdV2Source::Apply(const V2Event& event) {
  const std::string& key = event.value.key;
  if (!event.is_removal) {
    if (!event.is_directory) SetKey(event.value);
  } else if (!event.is_directory) {
    RemoveKey(key);
  } else {
    std::vector<std::string> below;
    const std::string prefix = key + "/";
    for (auto it = indexes_.lower_bound(prefix);
         it != indexes_.end() && it->first.starts_with(prefix); ++it) {
      below.push_back(it->first);
    }
    for (const std::string& gone : below) RemoveKey(gone);
  }
  index_ = std::max(index_, event.value.mod_revision);
  Deliver(false);
}

void EtcdV2Source::SetKey(const KeyValue& value) {
  std::int64_t& known = indexes_[value.key];
  if (std::exchange(known, value.mod_revision) == value.mod_revision) return;
  if (tap_ != nullptr) tap_->OnValue(value.key, value.value);
  std::vector<Decoded> objects;
  objects.push_back(DecodeEtcdValue(value.key, value.value));
  table_.SetFile(value.key, value.key, std::move(objects));
}

void EtcdV2Source::RemoveKey(const std::string& key) {
  if (indexes_.erase(key) == 0) return;
  if (tap_ != nullptr) tap_->OnRemoval(key);
  table_.RemoveFile(key);
}

void EtcdV2Source::Deliver(bool listed) {
  if (tap_ != nullptr) tap_->OnStepEnd(index_);
  std::optional<std::string> why_not = table_.Hold();
  if (why_not) {
    why_not = "not ready: " + *why_not;
  } else if (!indexes_.contains(ToAbsl(kReadyKey))) {
    why_not = fmt::format("not ready: {} is not there", kReadyKey);
  }
  delivery_.Deliver(table_, std::move(why_not), listed, *sink_);
}

}  // namespace felix::datastore
