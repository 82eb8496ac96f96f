// SPDX-License-Identifier: Apache-2.0
// How a Registry finds out that others changed its sets.
#include <algorithm>
#include <utility>

#include "fmt/format.h"

#include "ipset/registry.h"
#include "ipset/set_name.h"
#include "model/base/overloaded.h"
#include "model/base/status_macros.h"

namespace felix::ipset {
namespace {

// A set that is written so much while it is read is known from its writes.
constexpr std::size_t kMaxTouched = 10000;

}  // namespace

void Registry::Resync() {
  headers_due_ = true;
  verifying_ = true;
  reading_.reset();
  verified_up_to_.clear();
  kernel_.EndPortions();
}

bool Registry::IsSettled(const std::string& id, const Entry& entry) const {
  return entry.known && entry.actual.presence == Presence::kMatching &&
         entry.actual.to_add.empty() && entry.actual.to_remove.empty() && !dirty_.contains(id) &&
         !waiting_.contains(id);
}

absl::Status Registry::CheckHeaders(ApplyStats& stats) {
  ++stats.kernel_calls;
  FELIX_ASSIGN_OR_RETURN(const std::vector<SetHeader> headers, kernel_.ListHeaders());
  headers_due_ = false;
  absl::btree_map<std::string, const SetHeader*> ours;
  for (const SetHeader& header : headers) {
    if (IsOurs(family_, header.name)) ours.emplace_hint(ours.end(), header.name, &header);
  }
  present_.clear();
  doomed_.clear();
  for (const auto& [name, header] : ours) {
    present_.insert(present_.end(), name);
    doomed_.insert(doomed_.end(), name);
  }
  absl::btree_map<std::string, std::string> holders;
  for (const auto& [name, id] : holders_) {
    if (entries_.contains(id) || present_.contains(name)) holders.emplace(name, id);
  }
  holders_ = std::move(holders);
  for (auto& [id, entry] : entries_) {
    const auto holder = holders_.find(entry.name);
    if (holder != holders_.end() && holder->second != id) continue;
    doomed_.erase(entry.name);
    const auto found = ours.find(entry.name);
    CheckHeader(id, entry, found == ours.end() ? nullptr : found->second);
  }
  return absl::OkStatus();
}

void Registry::CheckHeader(const std::string& id, Entry& entry, const SetHeader* header) {
  if (!entry.known) return;
  const bool expected = entry.actual.presence != Presence::kMissing;
  if (header == nullptr) {
    if (expected) Doubt(id, entry, "is gone");
    entry.known = true;
    entry.actual = {};
    return;
  }
  if (!expected) return Doubt(id, entry, "was made by somebody else");
  if (entry.actual.presence != Presence::kMatching) return;
  if (header->type != TypeName(entry.desired.kind) || header->family != family_) {
    return Doubt(id, entry, fmt::format("is of type {} now", header->type));
  }
  const bool same_ceiling = header->max_members == options_.max_set_size;
  if (!header->plain || !same_ceiling) return Doubt(id, entry, "has other parameters");
  if (header->size != entry.actual.size) {
    Doubt(id, entry, fmt::format("{} members instead of {}", header->size, entry.actual.size));
  }
}

void Registry::Doubt(const std::string& id, Entry& entry, std::string_view damage) {
  damage_.push_back(fmt::format("set {}: {}", entry.name, damage));
  entry.known = false;
  entry.actual = {};
  waiting_.erase(id);
  dirty_.insert(id);
}

void Registry::NoteTouched(const Entry& entry, const SetPlan& plan) {
  if (!reading_.has_value() || plan.empty()) return;
  const auto it = entries_.find(reading_->id);
  if (it == entries_.end() || &it->second != &entry) return;
  for (const Operation& operation : plan.operations) {
    std::visit(Overloaded{
                   [&](const AddMembers& add) {
                     reading_->touched.insert(add.members.begin(), add.members.end());
                   },
                   [&](const DeleteMembers& del) {
                     reading_->touched.insert(del.members.begin(), del.members.end());
                   },
                   [](const auto&) {},
               },
               operation);
  }
  // What was replaced is new; it has nothing to hide.
  if (plan.rebuilds || reading_->touched.size() > kMaxTouched) VerifyNext();
}

void Registry::VerifyNext() {
  if (!reading_.has_value()) return;
  verified_up_to_ = std::move(reading_->id);
  reading_.reset();
  kernel_.EndPortions();
}

absl::StatusOr<ApplyStats> Registry::Verify() {
  ApplyStats stats;
  if (!verifying_ || !listed_) return stats;
  const auto deadline = std::chrono::steady_clock::now() + options_.verify_budget;
  do {
    if (!reading_.has_value()) {
      const auto next = entries_.upper_bound(verified_up_to_);
      if (next == entries_.end()) {
        verifying_ = false;
        return stats;
      }
      reading_ = Reading{next->first, 0, 0, {}};
    }
    const std::string id = reading_->id;
    const auto it = entries_.find(id);
    if (it == entries_.end() || !IsSettled(id, it->second)) {
      VerifyNext();
      continue;
    }
    if (absl::Status status = VerifyPortion(id, it->second, stats); !status.ok()) {
      VerifyNext();
      return status;
    }
  } while (std::chrono::steady_clock::now() < deadline);
  return stats;
}

absl::Status Registry::VerifyPortion(const std::string& id, Entry& entry, ApplyStats& stats) {
  ++stats.kernel_calls;
  const absl::StatusOr<Portion> portion = kernel_.ReadPortion(entry.name);
  if (!portion.ok()) {
    if (!absl::IsNotFound(portion.status())) return portion.status();
    Doubt(id, entry, "is gone");
    VerifyNext();
    return absl::OkStatus();
  }
  // Somebody else's reading may have put an end to ours.
  if (portion->first) *reading_ = Reading{id, 0, 0, {}};
  reading_->strangers += portion->strange_members;
  for (const ir::SetMember& member : portion->members) {
    if (!reading_->touched.empty() && reading_->touched.contains(member)) continue;
    ++(IsWanted(entry.desired, member) ? reading_->seen : reading_->strangers);
  }
  if (portion->last) FinishVerified(id, entry);
  return absl::OkStatus();
}

void Registry::FinishVerified(const std::string& id, Entry& entry) {
  const auto wanted = static_cast<std::size_t>(
      std::count_if(reading_->touched.begin(), reading_->touched.end(),
                    [&](const ir::SetMember& m) { return IsWanted(entry.desired, m); }));
  const std::size_t expected = entry.actual.size - wanted;
  const std::size_t seen = reading_->seen;
  const std::size_t strangers = reading_->strangers;
  VerifyNext();
  // A reading that meets the growth of a hash can show a member twice, but not miss one.
  if (strangers == 0 && seen >= expected) return;
  Doubt(id, entry,
        fmt::format("{} members are missing and {} are there that nobody wants",
                    seen < expected ? expected - seen : 0, strangers));
}

}  // namespace felix::ipset
