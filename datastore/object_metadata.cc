// SPDX-License-Identifier: Apache-2.0
#include "datastore/object_metadata.h"

#include "fmt/format.h"

#include "datastore/names.h"

namespace felix::datastore {
namespace {

constexpr std::size_t kMaxAnnotationBytes = std::size_t{256} << 10;

// Names of workload endpoints hold names of hosts and containers as they are, capitals included;
// their own parser checks them.
bool HasResourceName(std::string_view kind) {
  return kind != "WorkloadEndpoint";
}

void ReadLabels(ObjectReader& reader, ObjectMetadata& metadata) {
  std::vector<model::LabelSet::Entry> labels = reader.StringMap("labels");
  for (const auto& [key, value] : labels) {
    std::optional<std::string> problem = CheckLabelKey(key);
    if (!problem) problem = CheckLabelValue(value);
    if (problem) reader.Fault("labels", fmt::format("'{}': {}", key, *problem));
  }
  metadata.labels = model::LabelSet(std::move(labels));
}

void ReadAnnotations(ObjectReader& reader, ObjectMetadata& metadata) {
  metadata.annotations = reader.StringMap("annotations");
  std::size_t bytes = 0;
  for (const auto& [key, value] : metadata.annotations) {
    bytes += key.size() + value.size();
    if (CheckLabelKey(key)) {
      reader.Fault("annotations", fmt::format("'{}': not a qualified name", key));
    }
  }
  if (bytes > kMaxAnnotationBytes) {
    reader.Fault("annotations", fmt::format("{} bytes, more than {}", bytes, kMaxAnnotationBytes));
  }
}

}  // namespace

ObjectMetadata ReadMetadata(ObjectReader& object, Scope scope) {
  ObjectMetadata metadata;
  const std::string kind = object.StringOrEmpty("kind");
  const std::optional<Field> field = object.Find("metadata");
  if (!field) {
    object.Fault("metadata", "missing");
    return metadata;
  }
  metadata.position = field->node->position();
  ObjectReader reader(*field, object.faults());
  const std::size_t before = object.faults().count();
  metadata.name = reader.StringOrEmpty("name");
  metadata.namespace_name = reader.StringOrEmpty("namespace");
  if (metadata.name.empty()) {
    reader.Fault("name", "missing");
  } else if (kind == "Profile") {
    if (const auto problem = CheckProfileName(metadata.name)) reader.Fault("name", *problem);
  } else if (HasResourceName(kind)) {
    if (const auto problem = CheckResourceName(metadata.name)) reader.Fault("name", *problem);
  } else if (metadata.name.size() > 253) {
    reader.Fault("name", fmt::format("{} characters, more than 253", metadata.name.size()));
  }
  if (scope == Scope::kNamespaced) {
    if (const auto problem = CheckNamespace(metadata.namespace_name)) {
      reader.Fault("namespace", *problem);
    }
  } else if (!metadata.namespace_name.empty()) {
    reader.Fault("namespace", "not allowed on a kind of the whole cluster");
  }
  metadata.identity_is_valid = object.faults().count() == before;
  ReadLabels(reader, metadata);
  ReadAnnotations(reader, metadata);
  reader.RefuseMisspelt();
  return metadata;
}

}  // namespace felix::datastore
