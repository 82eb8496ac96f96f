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

const ResourceTable::Extras& ResourceTable::Object::more() const {
  static const Extras kNone;
  return extras ? *extras : kNone;
}

std::string ResourceTable::RefusalId(const std::string& file, const Object& object) {
  return object.repeat == 1 ? fmt::format("{}#{}", file, object.name)
                            : fmt::format("{}#{}#{}", file, object.name, object.repeat);
}

std::string ResourceTable::RefusalId(const Place& place) {
  return RefusalId(place.file->first, At(place));
}

void ResourceTable::Forget(const Files::value_type& file) {
  for (std::size_t i = 0; i < file.second.objects.size(); ++i) {
    const Object& object = file.second.objects[i];
    const Extras& more = object.more();
    const Place place{object.is_v1, &file, i};
    changed_refusals_.insert_or_assign(RefusalId(place), std::nullopt);
    if (more.ignored_kind) {
      const auto count = ignored_kinds_.find(*more.ignored_kind);
      if (--count->second == 0) ignored_kinds_.erase(count);
    }
    if (more.hold) holds_.erase(place);
    if (!object.key) continue;
    changed_keys_.insert(*object.key);
    const auto places = definitions_.find(*object.key);
    places->second.erase(place);
    if (places->second.empty()) definitions_.erase(places);
  }
}

void ResourceTable::SetFile(const std::string& file, const std::string& display_name,
                            std::vector<Decoded> objects) {
  Files::value_type& entry = *files_.try_emplace(file).first;
  Forget(entry);
  entry.second.display_name = display_name == file ? "" : display_name;
  entry.second.objects.clear();
  entry.second.objects.reserve(objects.size());
  absl::flat_hash_map<std::string, int> seen;
  for (Decoded& decoded : objects) {
    Object object;
    object.repeat = ++seen[decoded.object];
    object.name = std::move(decoded.object);
    object.position = decoded.position;
    object.key = std::move(decoded.key);
    if (decoded.value) {
      object.value = std::make_shared<const model::Resource>(*std::move(decoded.value));
    }
    if (decoded.policy || decoded.refusal || decoded.ignored_kind || decoded.hold ||
        !decoded.part.empty()) {
      object.extras = std::make_unique<const Extras>(Extras{
          std::move(decoded.policy), std::move(decoded.refusal), std::move(decoded.ignored_kind),
          std::move(decoded.part), std::move(decoded.hold)});
    }
    object.is_v1 = decoded.is_v1;

    const Extras& more = object.more();
    const Place place{object.is_v1, &entry, entry.second.objects.size()};
    if (more.hold) holds_.insert(place);
    if (more.ignored_kind) ++ignored_kinds_[*more.ignored_kind];
    if (object.key) {
      changed_keys_.insert(*object.key);
      definitions_[*object.key].insert(place);
    } else {
      changed_refusals_.insert_or_assign(RefusalId(file, object), more.refusal);
    }
    entry.second.objects.push_back(std::move(object));
  }
}

void ResourceTable::RemoveFile(const std::string& file) {
  const auto it = files_.find(file);
  if (it == files_.end()) return;
  Forget(*it);
  changed_refusals_.insert_or_assign(file, std::nullopt);
  files_.erase(it);
}

void ResourceTable::SetFileRefusal(const std::string& file, std::optional<Refusal> refusal) {
  changed_refusals_.insert_or_assign(file, std::move(refusal));
  files_.try_emplace(file);
}

const ResourceTable::Object& ResourceTable::At(const Place& place) {
  return place.file->second.objects[place.index];
}

std::string ResourceTable::Where(const Place& place) {
  const auto& [file, content] = *place.file;
  const std::string& name = content.display_name.empty() ? file : content.display_name;
  const Position position = At(place).position;
  return position.line == 0 ? name : fmt::format("{}:{}", name, position.ToString());
}

Refusal ResourceTable::RefuseSecond(const Place& place, const Place& first) {
  const std::string& name = At(place).name;
  std::string where = Where(place);
  return {name == where ? "" : name, std::move(where), "",
          fmt::format("already defined at {}", Where(first))};
}

std::optional<std::string> ResourceTable::Hold() const {
  if (holds_.empty()) return std::nullopt;
  const Place& place = *holds_.begin();
  return fmt::format("{}: {}", Where(place), *At(place).more().hold);
}

std::shared_ptr<const model::Resource> ResourceTable::ResolveParts(
    const absl::btree_set<Place>& places, RefusalChanges& refusals) {
  absl::btree_map<std::string, Place> parts;
  for (const Place& place : places) {
    const Object& object = At(place);
    const auto [part, is_first] = parts.try_emplace(object.more().part, place);
    refusals.insert_or_assign(RefusalId(place),
                              is_first ? object.more().refusal : RefuseSecond(place, part->second));
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
          RefusalId(place), Refusal{object.name == where ? "" : object.name, where, "",
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
  if (!At(first).more().part.empty()) return ResolveParts(places->second, refusals);
  for (const Place& place : places->second) {
    const Object& object = At(place);
    // Nothing was refused, nor is: so it is with nearly all of a first listing.
    if (place == first && !object.more().refusal && delivered_refusals_.empty()) continue;
    refusals.insert_or_assign(RefusalId(place),
                              place == first ? object.more().refusal : RefuseSecond(place, first));
  }

  const Object& claimant = At(first);
  if (!claimant.more().policy) return claimant.value;
  const auto& id = std::get<model::PolicyId>(key);
  memory_.Note(id, *claimant.more().policy);
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
