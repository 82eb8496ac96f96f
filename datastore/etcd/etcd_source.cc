// SPDX-License-Identifier: Apache-2.0
#include "datastore/etcd/etcd_source.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "fmt/format.h"

#include "datastore/etcd/etcd_keys.h"
#include "datastore/v3_decoder.h"
#include "model/base/status_macros.h"
#include "model/base/strings.h"

namespace felix::datastore {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = HttpConnection::Clock;

// Short enough that a server that is back is used within 2 s; spread, so that the hosts of a
// cluster do not all come back at once.
constexpr milliseconds kFirstRetry{100};
constexpr milliseconds kLastRetry{1500};
// A watch that is silent for so long has its server asked whether it is still there.
constexpr seconds kProbeAfter{5};
// A server that has news, though none need be for us, while the watch is silent: it is opened anew,
// which costs nothing if it was right.
constexpr seconds kReopenAfter{60};
constexpr std::string_view kReadyKey = "/calico/v1/Ready";

milliseconds Spread(milliseconds duration, std::minstd_rand& random) {
  return milliseconds(
      std::uniform_int_distribution<std::int64_t>(duration.count() / 2, duration.count())(random));
}

}  // namespace

EtcdSource::EtcdSource(EtcdConfig config) : config_(std::move(config)) {}

EtcdSource::~EtcdSource() {
  Stop();
}

absl::Status EtcdSource::Start(Sink& sink) {
  if (config_.endpoints.empty()) {
    return absl::InvalidArgumentError("start etcd source: no endpoint is named");
  }
  if (sink_ != nullptr) return absl::FailedPreconditionError("start etcd source: started before");
  sink_ = &sink;
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

void EtcdSource::Resync() {
  const std::lock_guard lock(mutex_);
  resync_ = true;
  if (client_) client_->Interrupt();
  wake_.notify_all();
}

void EtcdSource::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    if (client_) client_->Interrupt();
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

absl::btree_map<std::string, std::size_t> EtcdSource::IgnoredKinds() const {
  return delivery_.IgnoredKinds();
}

void EtcdSource::Pause(milliseconds duration) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, duration, [this] { return stop_ || resync_; });
}

void EtcdSource::Run() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);

  std::minstd_rand random(std::random_device{}());
  milliseconds retry = kFirstRetry;
  for (std::size_t attempt = 0; !stop_; ++attempt) {
    const EtcdEndpoint& endpoint = config_.endpoints[attempt % config_.endpoints.size()];
    made_progress_ = false;
    const absl::Status status = Session(endpoint);
    if (stop_) return;
    if (made_progress_) retry = kFirstRetry;
    if (absl::IsCancelled(status)) continue;  // to read everything anew
    // The others are asked at once; then all had their turn.
    const bool all_tried = (attempt + 1) % config_.endpoints.size() == 0 || made_progress_;
    if (!all_tried) continue;
    sink_->OnLost(absl::Status(
        status.code(), fmt::format("{}: {}", endpoint.ToString(), std::string(status.message()))));
    Pause(Spread(retry, random));
    retry = std::min(2 * retry, kLastRetry);
  }
}

absl::Status EtcdSource::Session(const EtcdEndpoint& endpoint) {
  const auto client = std::make_shared<EtcdClient>(config_);
  {
    const std::lock_guard lock(mutex_);
    if (stop_) return absl::CancelledError("stopped");
    if (resync_.exchange(false)) revision_ = 0;
    client_ = client;
  }
  FELIX_RETURN_IF_ERROR(CheckHistory(client->Connect(endpoint)));
  while (true) {
    if (revision_ == 0) FELIX_RETURN_IF_ERROR(List(*client));
    FELIX_RETURN_IF_ERROR(client->Watch(kEtcdRangeStart, kEtcdRangeEnd, revision_ + 1));
    made_progress_ = true;
    const absl::Status status = Follow(*client);
    // The history that we wanted to go on from is gone, or the watch is to be opened anew.
    if (!absl::IsOutOfRange(status)) return status;
  }
}

absl::Status EtcdSource::CheckHistory(const absl::StatusOr<RangeResponse>& now) {
  if (!now.ok()) return now.status();
  const bool is_other = cluster_id_ != 0 && now->cluster_id != cluster_id_;
  // The answer is one that the members have agreed on, so that it cannot be an old one: a lower
  // revision is that of a backup.
  if (!is_other && now->revision >= revision_) return absl::OkStatus();
  revision_ = 0;
  cluster_id_ = now->cluster_id;
  // The same revision of another history means another value.
  for (auto& [key, revision] : revisions_) revision = 0;
  return absl::OkStatus();
}

absl::Status EtcdSource::List(EtcdClient& client) {
  absl::btree_set<std::string> seen;
  const absl::StatusOr<RangeResponse> listed =
      client.ReadRange(kEtcdRangeStart, kEtcdRangeEnd, [&](std::vector<KeyValue> values) {
        for (KeyValue& value : values) {
          SetKey(value);
          seen.insert(std::move(value.key));
        }
      });
  // Nothing is taken for gone on the word of a listing that broke off; what it told of the rest
  // waits for the next one.
  if (absl::IsOutOfRange(listed.status())) {
    return absl::UnavailableError(listed.status().message());
  }
  if (!listed.ok()) return listed.status();
  std::vector<std::string> gone;
  for (const auto& [key, revision] : revisions_) {
    if (!seen.contains(key)) gone.push_back(key);
  }
  for (const std::string& key : gone) RemoveKey(key);
  revision_ = listed->revision;
  cluster_id_ = listed->cluster_id;
  delivery_.TellHoldAgain();
  delivery_.Deliver(table_, WhyNotReady(), true, *sink_);
  return absl::OkStatus();
}

absl::Status EtcdSource::Follow(EtcdClient& client) {
  Clock::time_point last_news = Clock::now();
  while (true) {
    absl::StatusOr<std::optional<WatchMessage>> message = client.Next(kProbeAfter);
    if (!message.ok()) return message.status();
    if (*message) {
      last_news = Clock::now();
      FELIX_RETURN_IF_ERROR(Apply(**message));
      continue;
    }
    const std::int64_t before = revision_;
    FELIX_RETURN_IF_ERROR(CheckHistory(client.Probe()));
    if (revision_ < before) return absl::OutOfRangeError("etcd's history is another one");
    if (Clock::now() - last_news < kReopenAfter) continue;
    return absl::OutOfRangeError("the watch is silent");
  }
}

absl::Status EtcdSource::Apply(const WatchMessage& message) {
  if (message.canceled) {
    if (message.compact_revision != 0) {
      revision_ = 0;
      return absl::OutOfRangeError("etcd no longer has the revision");
    }
    return absl::UnavailableError(
        fmt::format("etcd ended the watch: {}", Printable(message.cancel_reason)));
  }
  if (message.created) return absl::OkStatus();
  for (const WatchEvent& event : message.events) {
    // What comes twice, after a watch was opened anew, is known.
    if (event.value.mod_revision <= revision_) continue;
    if (event.is_delete) {
      RemoveKey(event.value.key);
    } else {
      SetKey(event.value);
    }
  }
  // A message with events bears the store's revision, which may be far ahead of what it tells; one
  // without says that there is nothing up to its revision.
  if (message.events.empty()) revision_ = std::max(revision_, message.revision);
  for (const WatchEvent& event : message.events) {
    revision_ = std::max(revision_, event.value.mod_revision);
  }
  delivery_.Deliver(table_, WhyNotReady(), false, *sink_);
  return absl::OkStatus();
}

void EtcdSource::SetKey(const KeyValue& value) {
  std::int64_t& known = revisions_[value.key];
  if (known == value.mod_revision) return;
  known = value.mod_revision;
  if (value.key == kClusterInformationKey) cluster_is_ready_ = IsDatastoreReady(value.value);
  std::vector<Decoded> objects;
  objects.push_back(DecodeEtcdValue(value.key, value.value));
  table_.SetFile(value.key, value.key, std::move(objects));
}

void EtcdSource::RemoveKey(const std::string& key) {
  if (revisions_.erase(key) == 0) return;
  if (key == kClusterInformationKey) cluster_is_ready_.reset();
  table_.RemoveFile(key);
}

std::optional<std::string> EtcdSource::WhyNotReady() const {
  if (const auto hold = table_.Hold()) return "not ready: " + *hold;
  if (cluster_is_ready_.has_value()) {
    if (*cluster_is_ready_) return std::nullopt;
    return "not ready: ClusterInformation default: datastoreReady is not true";
  }
  // The older store's own flag: if it were there and not true, the table would hold.
  if (revisions_.contains(ToAbsl(kReadyKey))) return std::nullopt;
  return "not ready: neither ClusterInformation default nor /calico/v1/Ready is there";
}

}  // namespace felix::datastore
