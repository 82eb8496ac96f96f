// SPDX-License-Identifier: Apache-2.0
#include "datastore/snapshot/snapshot_player.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

#include "fmt/format.h"

#include "datastore/etcd/etcd_keys.h"

namespace felix::datastore {
namespace {

constexpr std::size_t kMostInputs = 9999;
constexpr std::string_view kHidden = "already defined at ";

}  // namespace

SnapshotPlayer::SnapshotPlayer(const SnapshotOptions& options, const OnSnapshotStep& on_step,
                               bool alone)
    : options_(options), on_step_(on_step), use_shelf_(alone) {}

void SnapshotPlayer::BeginInput(const std::string& path, std::string_view format,
                                std::string_view packing) {
  facts_.inputs.push_back({path, std::string(format), std::string(packing), 0, 0});
  any_step_ = false;
}

absl::Status SnapshotPlayer::EndInput() {
  return std::exchange(failure_, absl::OkStatus());
}

std::string SnapshotPlayer::FileId(std::size_t input, std::string_view name) const {
  return fmt::format("{:04}/{}", kMostInputs - input, name);
}

bool SnapshotPlayer::IsWanted(const Moment& moment) const {
  if (options_.revision && moment.revision > *options_.revision) return false;
  return !options_.at || !moment.time || *moment.time <= *options_.at;
}

bool SnapshotPlayer::BeginStep(const Moment& moment) {
  if (!IsWanted(moment)) {
    if (!any_step_ && facts_.inputs.size() == 1) {
      failure_ = absl::OutOfRangeError(fmt::format("{}: its history begins later, at revision {}",
                                                   facts_.inputs.back().path, moment.revision));
    }
    return false;
  }
  if (options_.at && moment.revision != 0 && !moment.time) {
    failure_ = absl::InvalidArgumentError(
        fmt::format("{}: tells no times, only revisions", facts_.inputs.back().path));
    return false;
  }
  if (options_.every_step) Deliver();
  if (!any_step_ && facts_.inputs.size() == 1) facts_.first = moment;
  any_step_ = true;
  step_is_open_ = true;
  moment_.revision = std::max(moment_.revision, moment.revision);
  if (moment.time) moment_.time = moment.time;
  ++facts_.inputs.back().steps;
  return true;
}

void SnapshotPlayer::OnValue(std::string_view key, std::string_view value) {
  if (key < kEtcdRangeStart || key >= kEtcdRangeEnd) return;
  if (etcd_input_ == 0) etcd_input_ = facts_.inputs.size();
  ++facts_.inputs.back().keys;
  std::vector<Decoded> objects;
  objects.push_back(DecodeEtcdValue(key, value));
  if (key == kClusterInformationKey) {
    facts_.hold.reset();
    if (!IsDatastoreReady(value)) {
      facts_.hold = "ClusterInformation default: datastoreReady is not true";
    }
  }
  const Decoded& object = objects.front();
  if (use_shelf_ && shelf_.Take(key, object)) {
    // It may have been refused before.
    table_.RemoveFile(FileId(etcd_input_, key));
    return;
  }
  const bool is_rival =
      object.is_v1 && object.key && std::holds_alternative<model::WorkloadEndpointId>(*object.key);
  if (use_shelf_ && is_rival) ClearShelf();
  shelf_.Remove(key);
  table_.SetFile(FileId(etcd_input_, key), std::string(key), std::move(objects));
}

void SnapshotPlayer::ClearShelf() {
  use_shelf_ = false;
  // The table tells of those that are there, but knows nothing of those that went.
  std::vector<model::Update> changes;
  shelf_.AppendChanges(changes);
  for (model::Update& change : changes) {
    if (!change.value) extra_.push_back(std::move(change));
  }
  shelf_.MoveAll([this](const std::string& key, Decoded decoded) {
    std::vector<Decoded> objects;
    objects.push_back(std::move(decoded));
    table_.SetFile(FileId(etcd_input_, key), key, std::move(objects));
  });
}

void SnapshotPlayer::OnRemoval(std::string_view key) {
  if (key < kEtcdRangeStart || key >= kEtcdRangeEnd) return;
  ++facts_.inputs.back().keys;
  if (!shelf_.Remove(key)) table_.RemoveFile(FileId(etcd_input_, key));
}

void SnapshotPlayer::OnObjects(const std::string& file, std::vector<Decoded> objects) {
  ++facts_.inputs.back().keys;
  table_.SetFile(FileId(facts_.inputs.size(), file), file, std::move(objects));
}

void SnapshotPlayer::OnInterface(const std::string& name,
                                 std::optional<std::vector<model::IpAddress>> addresses) {
  model::Update update{model::InterfaceId{name}, std::nullopt};
  if (addresses) update.value = model::Interface{*std::move(addresses)};
  std::erase_if(extra_, [&](const model::Update& other) { return other.key == update.key; });
  extra_.push_back(std::move(update));
  step_is_open_ = true;
}

bool SnapshotPlayer::OnDamage(Position position, std::string_view reason) {
  const std::string& path = facts_.inputs.back().path;
  std::string line = position.line == 0
                         ? fmt::format("{}: {}", path, Printable(reason))
                         : fmt::format("{}:{}: {}", path, position.ToString(), Printable(reason));
  if (options_.lenient) {
    facts_.damages.push_back(std::move(line));
    return true;
  }
  if (failure_.ok()) failure_ = absl::DataLossError(line);
  return false;
}

void SnapshotPlayer::Deliver() {
  if (!std::exchange(step_is_open_, false)) return;
  ResourceTable::Change change = table_.Commit();
  if (facts_.inputs.size() > 1) {
    // That a later input says something else is what it was given for.
    std::erase_if(change.refusals, [](const auto& entry) {
      return entry.second && entry.second->reason.starts_with(kHidden);
    });
  }
  std::vector<model::Update> updates = std::exchange(extra_, {});
  shelf_.AppendChanges(updates);
  updates.insert(updates.end(), std::make_move_iterator(change.updates.begin()),
                 std::make_move_iterator(change.updates.end()));
  on_step_({moment_, std::move(updates), std::move(change.refusals)});
}

SnapshotFacts SnapshotPlayer::Finish() {
  step_is_open_ = true;
  Deliver();
  facts_.last = moment_;
  facts_.ignored_kinds = table_.ignored_kinds();
  if (const auto hold = table_.Hold()) facts_.hold = *hold;
  return std::move(facts_);
}

}  // namespace felix::datastore
