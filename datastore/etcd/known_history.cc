// SPDX-License-Identifier: Apache-2.0
#include "datastore/etcd/known_history.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "model/base/strings.h"

namespace felix::datastore {
namespace {

// Etcd reads all revisions from the start of a watch on, those of other keys included. A backup
// that is further back than that hardly grows past what is known before anybody asks.
constexpr std::int64_t kMaxOverlap = 10'000;

}  // namespace

bool KnownHistory::Contains(std::string_view key) const {
  return revisions_.contains(ToAbsl(key));
}

void KnownHistory::Disown() {
  revision_ = 0;
  witness_ = {};
  // The same revision of another history means another value.
  for (auto& [key, revision] : revisions_) revision = 0;
}

void KnownHistory::Meet(const RangeResponse& server) {
  const bool is_other = cluster_id_ != 0 && server.cluster_id != cluster_id_;
  // The answer is one that the members have agreed on, so that it cannot be an old one: a lower
  // revision is that of a backup.
  if (is_other || server.revision < revision_) Disown();
  cluster_id_ = server.cluster_id;
}

bool KnownHistory::Learn(const KeyValue& value) {
  std::int64_t& known = revisions_[value.key];
  if (value.mod_revision > witness_.revision) SetWitness(value, false);
  return std::exchange(known, value.mod_revision) != value.mod_revision;
}

void KnownHistory::SetWitness(const KeyValue& value, bool is_delete) {
  witness_ = {value.key, value.mod_revision, is_delete, std::hash<std::string>()(value.value)};
}

void KnownHistory::BeginListing() {
  witness_ = {};
  listed_to_.clear();
  gone_.clear();
}

std::vector<std::size_t> KnownHistory::TakePage(const std::vector<KeyValue>& page) {
  std::size_t next = 0;
  for (auto it = revisions_.upper_bound(listed_to_); it != revisions_.end() && !page.empty();
       ++it) {
    if (it->first > page.back().key) break;
    while (page[next].key < it->first) ++next;
    if (page[next].key != it->first) gone_.push_back(it->first);
  }
  if (!page.empty()) listed_to_ = page.back().key;
  std::vector<std::size_t> news;
  for (std::size_t i = 0; i < page.size(); ++i) {
    if (Learn(page[i])) news.push_back(i);
  }
  return news;
}

std::vector<std::string> KnownHistory::EndListing(const RangeResponse& listed) {
  for (auto it = revisions_.upper_bound(listed_to_); it != revisions_.end(); ++it) {
    gone_.push_back(it->first);
  }
  for (const std::string& key : gone_) revisions_.erase(key);
  revision_ = listed.revision;
  cluster_id_ = listed.cluster_id;
  awaits_witness_ = false;
  uses_witness_ = false;  // of what was just read there is no doubt
  return std::exchange(gone_, {});
}

std::int64_t KnownHistory::BeginWatch() {
  const bool is_near = witness_.revision != 0 && revision_ - witness_.revision <= kMaxOverlap;
  awaits_witness_ = std::exchange(uses_witness_, true) && is_near;
  return awaits_witness_ ? witness_.revision : revision_ + 1;
}

void KnownHistory::NoteCompaction() {
  if (std::exchange(awaits_witness_, false)) {
    uses_witness_ = false;
  } else {
    revision_ = 0;
  }
}

void KnownHistory::NoteSilence() {
  if (std::exchange(awaits_witness_, false)) Disown();
}

bool KnownHistory::Contradicts(const WatchMessage& message) const {
  const std::vector<WatchEvent>& events = message.events;
  if (awaits_witness_) {
    const bool came = std::any_of(events.begin(), events.end(), [&](const WatchEvent& event) {
      return event.value.mod_revision == witness_.revision && event.value.key == witness_.key &&
             event.is_delete == witness_.is_delete &&
             std::hash<std::string>()(event.value.value) == witness_.value_hash;
    });
    if (!came) return true;
  }
  // Between the witness and revision_ nothing happened that was to last.
  for (std::size_t i = 0; i < events.size(); ++i) {
    const KeyValue& value = events[i].value;
    if (value.mod_revision <= witness_.revision || value.mod_revision > revision_) continue;
    const bool is_deleted_later = std::any_of(
        events.begin() + static_cast<std::ptrdiff_t>(i), events.end(),
        [&](const WatchEvent& event) { return event.is_delete && event.value.key == value.key; });
    if (!is_deleted_later || Contains(value.key)) return true;
  }
  return false;
}

std::vector<std::size_t> KnownHistory::TakeMessage(const WatchMessage& message) {
  std::vector<std::size_t> news;
  // One without events says that there is nothing up to its revision; one with events bears the
  // store's, which may be far ahead of what it tells.
  if (message.events.empty()) {
    if (!awaits_witness_) revision_ = std::max(revision_, message.revision);
    return news;
  }
  if (Contradicts(message)) {
    awaits_witness_ = false;
    Disown();
    return news;
  }
  awaits_witness_ = false;
  std::int64_t last = revision_;
  for (std::size_t i = 0; i < message.events.size(); ++i) {
    const auto& [is_delete, value] = message.events[i];
    if (value.mod_revision <= revision_) continue;
    last = std::max(last, value.mod_revision);
    if (!is_delete) {
      if (Learn(value)) news.push_back(i);
      continue;
    }
    SetWitness(value, true);
    if (revisions_.erase(value.key) != 0) news.push_back(i);
  }
  revision_ = last;
  return news;
}

}  // namespace felix::datastore
