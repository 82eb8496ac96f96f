// SPDX-License-Identifier: Apache-2.0
#include "datastore/resource_table.h"

#include "fmt/format.h"

#include "datastore/client_defaults.h"
#include "model/base/check.h"

namespace felix::datastore {

ResourceTable::ResourceTable() {
  for (model::Update& update : BuiltInResources()) {
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
    if (!object.key) continue;
    changed_keys_.insert(*object.key);
    const auto places = definitions_.find(*object.key);
    places->second.erase(Place{name, i});
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

    if (object.ignored_kind) ++ignored_kinds_[*object.ignored_kind];
    if (object.key) {
      changed_keys_.insert(*object.key);
      definitions_[*object.key].insert(Place{file, entry.objects.size()});
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

std::shared_ptr<const model::Resource> ResourceTable::Resolve(const model::Key& key,
                                                              RefusalChanges& refusals) {
  const auto places = definitions_.find(key);
  if (places == definitions_.end()) {
    const auto built_in = built_in_.find(key);
    return built_in == built_in_.end() ? nullptr : built_in->second;
  }
  const Place& first = *places->second.begin();
  const std::string claimed_at = fmt::format("{}:{}", files_.find(first.file)->second.display_name,
                                             At(first).position.ToString());
  for (const Place& place : places->second) {
    const Object& object = At(place);
    std::optional<Refusal> refusal = object.refusal;
    if (place != first) {
      refusal = Refusal{object.name,
                        fmt::format("{}:{}", files_.find(place.file)->second.display_name,
                                    object.position.ToString()),
                        "", fmt::format("already defined at {}", claimed_at)};
    }
    refusals.insert_or_assign(object.refusal_id, std::move(refusal));
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
