// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"

#include "datastore/v3_decoder.h"
#include "model/packed_map.h"
#include "model/update.h"

namespace felix::datastore {

// Where the workload endpoints of a snapshot lie, which it has a hundred times as many of as of all
// else: packed, by their keys in etcd, and with nothing of what a ResourceTable keeps to settle
// whose definition counts. That is enough as long as nobody else can define an endpoint, since the
// key of an endpoint that was accepted says all of its identity.
class EndpointShelf {
 public:
  // Takes an endpoint that was read without a fault; false for anything else.
  bool Take(std::string_view key, const Decoded& decoded);
  // False if there is none of that key.
  bool Remove(std::string_view key);
  [[nodiscard]] bool empty() const { return ids_.empty(); }

  // Appends what changed since the last call, in the order of the ids.
  void AppendChanges(std::vector<model::Update>& updates);
  // Gives away all that is there, as if it had just been read, and is empty then. What changed
  // must have been taken before.
  void MoveAll(const std::function<void(const std::string& key, Decoded decoded)>& visit);

 private:
  absl::flat_hash_map<std::string, model::WorkloadEndpointId> ids_;
  model::PackedMap<model::WorkloadEndpointId, model::WorkloadEndpoint> endpoints_;
  absl::btree_set<model::WorkloadEndpointId> changed_;
};

}  // namespace felix::datastore
