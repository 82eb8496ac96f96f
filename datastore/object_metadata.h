// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datastore/object_reader.h"
#include "model/labels.h"

namespace felix::datastore {

enum class Scope : std::uint8_t { kCluster, kNamespaced };

// The metadata of a v3 object: its identity is (kind, namespace, name) as written; the annotation
// by which some versions of Calico's client keep another name for display has no part in it.
struct ObjectMetadata {
  Position position;
  std::string name;
  std::string namespace_name;
  model::LabelSet labels;
  std::vector<model::LabelSet::Entry> annotations;
  bool identity_is_valid = false;  // name and namespace can be used, whatever else is at fault
};

// Validates names, labels and annotations by the API's rules. A namespaced object without a
// namespace, or another one with a namespace, is at fault.
[[nodiscard]] ObjectMetadata ReadMetadata(ObjectReader& object, Scope scope);

}  // namespace felix::datastore
