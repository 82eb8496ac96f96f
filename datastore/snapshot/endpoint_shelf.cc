// SPDX-License-Identifier: Apache-2.0
#include "datastore/snapshot/endpoint_shelf.h"

#include <optional>
#include <utility>
#include <variant>

#include "model/base/strings.h"

namespace felix::datastore {

bool EndpointShelf::Take(std::string_view key, const Decoded& decoded) {
  if (!decoded.key || !decoded.value || decoded.refusal || decoded.is_v1) return false;
  const auto* id = std::get_if<model::WorkloadEndpointId>(&*decoded.key);
  if (id == nullptr) return false;
  const auto [known, is_new] = ids_.try_emplace(std::string(key), *id);
  if (!is_new && known->second != *id) {
    endpoints_.Assign(known->second, nullptr);
    changed_.insert(known->second);
    known->second = *id;
  }
  if (endpoints_.Assign(*id, &std::get<model::WorkloadEndpoint>(*decoded.value))) {
    changed_.insert(*id);
  }
  return true;
}

bool EndpointShelf::Remove(std::string_view key) {
  const auto known = ids_.find(ToAbsl(key));
  if (known == ids_.end()) return false;
  endpoints_.Assign(known->second, nullptr);
  changed_.insert(known->second);
  ids_.erase(known);
  return true;
}

void EndpointShelf::AppendChanges(std::vector<model::Update>& updates) {
  updates.reserve(updates.size() + changed_.size());
  for (const model::WorkloadEndpointId& id : changed_) {
    const auto found = endpoints_.find(id);
    if (found == endpoints_.end()) {
      updates.push_back({id, std::nullopt});
    } else {
      updates.push_back({id, found->second});
    }
  }
  changed_.clear();
}

void EndpointShelf::MoveAll(
    const std::function<void(const std::string& key, Decoded decoded)>& visit) {
  for (const auto& [key, id] : std::exchange(ids_, {})) {
    Decoded decoded;
    decoded.object = id.ToString();
    decoded.key = id;
    decoded.value = endpoints_.at(id);
    visit(key, std::move(decoded));
  }
  endpoints_ = {};
}

}  // namespace felix::datastore
