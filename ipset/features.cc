// SPDX-License-Identifier: Apache-2.0
#include "ipset/features.h"

#include "fmt/format.h"

#include "ipset/set_reader.h"
#include "model/base/strings.h"

namespace felix::ipset {
namespace {

Feature Describe(std::string name, const absl::StatusOr<VersionRange>& range,
                 std::string_view unit) {
  if (!range.ok()) return {std::move(name), false, std::string(ToStd(range.status().message()))};
  return {std::move(name), true, fmt::format("{} {} to {}", unit, range->min, range->max)};
}

}  // namespace

std::vector<Feature> ProbeFeatures() {
  std::vector<Feature> features;
  const absl::StatusOr<std::unique_ptr<SetReader>> reader = SetReader::Open();
  if (!reader.ok()) {
    features.push_back(Describe("ip_set", reader.status(), ""));
    return features;
  }
  features.push_back(Describe("ip_set", (*reader)->ProtocolVersions(), "protocol"));
  for (const ir::SetKind kind : {ir::SetKind::kNet, ir::SetKind::kIpPort}) {
    for (const model::IpFamily family : model::kIpFamilies) {
      const std::string_view family_name = family == model::IpFamily::kV4 ? "inet" : "inet6";
      features.push_back(Describe(fmt::format("{} {}", TypeName(kind), family_name),
                                  (*reader)->TypeRevisions(kind, family), "revisions"));
    }
  }
  return features;
}

}  // namespace felix::ipset
