// SPDX-License-Identifier: Apache-2.0
#include "datastore/etcd/etcd_source.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "fmt/format.h"

#include "datastore/etcd/etcd_keys.h"
#include "datastore/v3_decoder.h"
#include "model/base/status_macros.h"
#include "model/base/strings.h"

namespace felix::datastore {
namespace {

using Clock = HttpConnection::Clock;

// Long enough for the server to say of its own accord that nothing happened, which it does every
// ten minutes.
constexpr std::chrono::minutes kLastReopen{15};
constexpr std::string_view kReadyKey = "/calico/v1/Ready";

}  // namespace

EtcdSource::EtcdSource(EtcdConfig config, SourceTap* tap)
    : config_(std::move(config)),
      tap_(tap),
      loop_(config_.endpoints, [this](const EtcdEndpoint& endpoint) { return Session(endpoint); }) {
}

absl::Status EtcdSource::Start(Sink& sink) {
  if (sink_ == nullptr) sink_ = &sink;
  return loop_.Start(sink);
}

void EtcdSource::Resync() {
  loop_.Resync();
}

void EtcdSource::Stop() {
  loop_.Stop();
}

absl::btree_map<std::string, std::size_t> EtcdSource::IgnoredKinds() const {
  return delivery_.IgnoredKinds();
}

absl::Status EtcdSource::Session(const EtcdEndpoint& endpoint) {
  const auto client = std::make_shared<EtcdClient>(config_);
  FELIX_ASSIGN_OR_RETURN(const bool anew, loop_.Begin([client] { client->Interrupt(); }));
  if (anew) history_.ListAnew();
  const absl::StatusOr<RangeResponse> now = client->Connect(endpoint);
  if (!now.ok()) return now.status();
  history_.Meet(*now);
  opened_at_ = now->revision;
  reopen_after_ = config_.timing.reopen_after;
  while (true) {
    if (history_.revision() == 0) FELIX_RETURN_IF_ERROR(List(*client));
    FELIX_RETURN_IF_ERROR(client->Watch(kEtcdRangeStart, kEtcdRangeEnd, history_.BeginWatch()));
    loop_.NoteProgress();
    const absl::Status status = Follow(*client);
    // The history that we wanted to go on from is gone, or the watch is to be opened anew.
    if (!absl::IsOutOfRange(status)) return status;
  }
}

absl::Status EtcdSource::List(EtcdClient& client) {
  history_.BeginListing();
  const absl::StatusOr<RangeResponse> listed =
      client.ReadRange(kEtcdRangeStart, kEtcdRangeEnd, [&](const std::vector<KeyValue>& values) {
        for (const std::size_t i : history_.TakePage(values)) SetKey(values[i]);
      });
  // What a listing that broke off told waits for the next one.
  if (absl::IsOutOfRange(listed.status())) {
    return absl::UnavailableError(listed.status().message());
  }
  if (!listed.ok()) return listed.status();
  for (const std::string& key : history_.EndListing(*listed)) RemoveKey(key);
  if (tap_ != nullptr) tap_->OnStepEnd(history_.revision());
  delivery_.TellHoldAgain();
  delivery_.Deliver(table_, WhyNotReady(), true, *sink_);
  return absl::OkStatus();
}

absl::Status EtcdSource::Follow(EtcdClient& client) {
  last_news_ = Clock::now();
  while (true) {
    const absl::StatusOr<std::optional<WatchMessage>> message =
        client.Next(config_.timing.probe_after);
    if (!message.ok()) return message.status();
    FELIX_RETURN_IF_ERROR(*message ? Apply(**message) : CheckSilence(client.Probe()));
  }
}

absl::Status EtcdSource::CheckSilence(const absl::StatusOr<RangeResponse>& now) {
  if (!now.ok()) return now.status();
  history_.NoteSilence();
  history_.Meet(*now);
  if (history_.revision() == 0) return absl::OutOfRangeError("etcd's history is another one");
  if (now->revision <= opened_at_ || Clock::now() - last_news_ < reopen_after_) {
    return absl::OkStatus();
  }
  opened_at_ = now->revision;
  reopen_after_ = std::min<EtcdTiming::Duration>(2 * reopen_after_, kLastReopen);
  return absl::OutOfRangeError("the watch is silent");
}

absl::Status EtcdSource::Apply(const WatchMessage& message) {
  last_news_ = Clock::now();
  if (message.canceled) {
    if (message.compact_revision != 0) {
      history_.NoteCompaction();
      return absl::OutOfRangeError("etcd no longer has the revision");
    }
    return absl::UnavailableError(
        fmt::format("etcd ended the watch: {}", Printable(message.cancel_reason)));
  }
  if (message.created) return absl::OkStatus();
  const std::vector<std::size_t> news = history_.TakeMessage(message);
  if (history_.revision() == 0) return absl::OutOfRangeError("etcd's history is another one");
  for (const std::size_t i : news) {
    const WatchEvent& event = message.events[i];
    if (event.is_delete) {
      RemoveKey(event.value.key);
    } else {
      SetKey(event.value);
    }
  }
  if (!news.empty()) reopen_after_ = config_.timing.reopen_after;
  if (tap_ != nullptr && !news.empty()) tap_->OnStepEnd(history_.revision());
  delivery_.Deliver(table_, WhyNotReady(), false, *sink_);
  return absl::OkStatus();
}

void EtcdSource::SetKey(const KeyValue& value) {
  if (tap_ != nullptr) tap_->OnValue(value.key, value.value);
  if (value.key == kClusterInformationKey) cluster_is_ready_ = IsDatastoreReady(value.value);
  std::vector<Decoded> objects;
  objects.push_back(DecodeEtcdValue(value.key, value.value));
  table_.SetFile(value.key, value.key, std::move(objects));
}

void EtcdSource::RemoveKey(const std::string& key) {
  if (tap_ != nullptr) tap_->OnRemoval(key);
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
  if (history_.Contains(kReadyKey)) return std::nullopt;
  return "not ready: neither ClusterInformation default nor /calico/v1/Ready is there";
}

}  // namespace felix::datastore
