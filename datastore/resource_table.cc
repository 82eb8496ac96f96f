// SPDX-License-Identifier: Apache-2.0
#include "datastore/resource_table.h"

#include "fmt/format.h"

#include "datastore/v1_cluster.h"
#include "model/base/check.h"

namespace felix::datastore {

ResourceTable::ResourceTable(std::vector<model::Update> built_in) {
  for (model::Update& update : built_in) {
    changed_keys_.insert(update.key);
    built_in_.emplace(update.key,
                      std::make_shared<const model::Resource>(*std::move(update.value)));
  }
}

void ResourceTable::Forget(const std::string& name, const File& file) {
  for (std::size_t i = 0; i < file.objects.size(); ++i) {
    const Object& object = file.objects[i];
    changed_refusals_.insert_or_assign(object.refusal_id, std::nullopt);
    if (object.ignored_kind) {
      const auto count = ignored_kinds_.find(*object.ignored_kind);
      if (--count->second == 0) ignored_kinds_.erase(count);
    }
    if (object.hold) holds_.erase(Place{object.is_v1, name, i});
    if (!object.key) continue;
    changed_keys_.insert(*object.key);
    const auto places = definitions_.find(*object.key);
    places->second.erase(Place{object.is_v1, name, i});
    if (places->second.empty()) definitions_.erase(places);
  }
}

void ResourceTable::SetFile(const std::string& file, const std::string& display_name,
                            std::vector<Decoded> objects) {
  File& entry = files_[file];
  Forget(file, entry);
  entry.display_name = display_name;
  entry.objects.clear();
  entry.objects.reserve(objects.size());
  absl::flat_hash_map<std::string, int> seen;
  for (Decoded& decoded : objects) {
    Object object;
    const int repeat = ++seen[decoded.object];
    object.refusal_id = repeat == 1 ? fmt::format("{}#{}", file, decoded.object)
                                    : fmt::format("{}#{}#{}", file, decoded.object, repeat);
    object.name = std::move(decoded.object);
    object.position = decoded.position;
    object.key = std::move(decoded.key);
    if (decoded.value) {
      object.value = std::make_shared<const model::Resource>(*std::move(decoded.value));
    }
    object.policy = std::move(decoded.policy);
    object.refusal = std::move(decoded.refusal);
    object.ignored_kind = std::move(decoded.ignored_kind);
    object.is_v1 = decoded.is_v1;
    object.part = std::move(decoded.part);
    object.hold = std::move(decoded.hold);

    const Place place{object.is_v1, file, entry.objects.size()};
    if (object.hold) holds_.insert(place);
    if (object.ignored_kind) ++ignored_kinds_[*object.ignored_kind];
    if (object.key) {
      changed_keys_.insert(*object.key);
      definitions_[*object.key].insert(place);
    } else {
      changed_refusals_.insert_or_assign(object.refusal_id, object.refusal);
    }
    entry.objects.push_back(std::move(object));
  }
}

void ResourceTable::RemoveFile(const std::string& file) {
  const auto it = files_.find(file);
  if (it == files_.end()) return;
  Forget(file, it->second);
  changed_refusals_.insert_or_assign(file, std::nullopt);
  files_.erase(it);
}

void ResourceTable::SetFileRefusal(const std::string& file, std::optional<Refusal> refusal) {
  changed_refusals_.insert_or_assign(file, refusal);
  files_[file].refusal = std::move(refusal);
}

const ResourceTable::Object& ResourceTable::At(const Place& place) const {
  const auto it = files_.find(place.file);
  FELIX_CHECK(it != files_.end() && place.index < it->second.objects.size(),
              "a definition points at no object");
  return it->second.objects[place.index];
}

std::string ResourceTable::Where(const Place& place) const {
  const std::string& name = files_.find(place.file)->second.display_name;
  const Position position = At(place).position;
  return position.line == 0 ? name : fmt::format("{}:{}", name, position.ToString());
}

Refusal ResourceTable::RefuseSecond(const Place& place, const Place& first) const {
  const std::string& name = At(place).name;
  std::string where = Where(place);
  return {name == where ? "" : name, std::move(where), "",
          fmt::format("already defined at {}", Where(first))};
}

std::optional<std::string> ResourceTable::Hold() const {
  if (holds_.empty()) return std::nullopt;
  const Place& place = *holds_.begin();
  return fmt::format("{}: {}", Where(place), *At(place).hold);
}

std::shared_ptr<const model::Resource> ResourceTable::ResolveParts(
    const absl::btree_set<Place>& places, RefusalChanges& refusals) {
  absl::btree_map<std::string, Place> parts;
  for (const Place& place : places) {
    const Object& object = At(place);
    const auto [part, is_first] = parts.try_emplace(object.part, place);
    refusals.insert_or_assign(object.refusal_id,
                              is_first ? object.refusal : RefuseSecond(place, part->second));
  }
  if (std::holds_alternative<model::ConfigId>(*At(*places.begin()).key)) {
    model::ConfigParameters merged;
    for (const auto& [name, place] : parts) {
      const Object& object = At(place);
      if (!object.value) continue;
      const auto& parameters = std::get<model::ConfigParameters>(*object.value);
      merged.values.insert(parameters.values.begin(), parameters.values.end());
    }
    return std::make_shared<const model::Resource>(std::move(merged));
  }

  std::map<std::string, model::Profile> read;
  for (const auto& [name, place] : parts) {
    const Object& object = At(place);
    if (!object.value) return nullptr;
    read.emplace(name, std::get<model::Profile>(*object.value));
  }
  if (!read.contains("rules")) {
    for (const auto& [name, place] : parts) {
      const Object& object = At(place);
      const std::string where = Where(place);
      refusals.insert_or_assign(
          object.refusal_id, Refusal{object.name == where ? "" : object.name, where, "",
                                     "the profile has no rules, so it does not exist and denies"});
    }
    return nullptr;
  }
  return std::make_shared<const model::Resource>(
      MergeV1Profile(read["rules"], read["labels"], read["tags"]));
}

std::shared_ptr<const model::Resource> ResourceTable::Resolve(const model::Key& key,
                                                              RefusalChanges& refusals) {
  const auto places = definitions_.find(key);
  if (places == definitions_.end()) {
    const auto built_in = built_in_.find(key);
    return built_in == built_in_.end() ? nullptr : built_in->second;
  }
  const Place& first = *places->second.begin();
  if (!At(first).part.empty()) return ResolveParts(places->second, refusals);
  for (const Place& place : places->second) {
    const Object& object = At(place);
    refusals.insert_or_assign(object.refusal_id,
                              place == first ? object.refusal : RefuseSecond(place, first));
  }

  const Object& claimant = At(first);
  if (!claimant.policy) return claimant.value;
  const auto& id = std::get<model::PolicyId>(key);
  memory_.Note(id, *claimant.policy);
  if (claimant.value) return claimant.value;
  return std::make_shared<const model::Resource>(memory_.Recall(id));
}

ResourceTable::Change ResourceTable::Commit() {
  Change change;
  RefusalChanges refusals = std::exchange(changed_refusals_, {});
  for (const model::Key& key : changed_keys_) {
    std::shared_ptr<const model::Resource> value = Resolve(key, refusals);
    const auto delivered = delivered_.find(key);
    if (value == nullptr) {
      if (delivered == delivered_.end()) continue;
      delivered_.erase(delivered);
      change.updates.push_back({key, std::nullopt});
      continue;
    }
    const bool same = delivered != delivered_.end() && *delivered->second == *value;
    if (!same) change.updates.push_back({key, *value});
    delivered_.insert_or_assign(key, std::move(value));
  }
  changed_keys_.clear();

  for (auto& [id, refusal] : refusals) {
    const auto delivered = delivered_refusals_.find(id);
    if (!refusal) {
      if (delivered == delivered_refusals_.end()) continue;
      delivered_refusals_.erase(delivered);
    } else {
      if (delivered != delivered_refusals_.end() && delivered->second == *refusal) continue;
      delivered_refusals_.insert_or_assign(id, *refusal);
    }
    change.refusals.emplace_back(id, std::move(refusal));
  }
  return change;
}

}  // namespace felix::datastore
