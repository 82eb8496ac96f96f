// SPDX-License-Identifier: Apache-2.0
#include "ipset/features.h"

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "fmt/format.h"

#include "ipset/kernel_sets.h"
#include "ipset/set_reader.h"
#include "model/base/strings.h"

namespace felix::ipset {
namespace {

Feature Describe(std::string name, const absl::StatusOr<VersionRange>& range,
                 std::string_view unit) {
  if (!range.ok()) return {std::move(name), false, std::string(ToStd(range.status().message()))};
  return {std::move(name), true, fmt::format("{} {} to {}", unit, range->min, range->max)};
}

// Members of hash:net,iface have counters from revision 3 on and marks (skbinfo) from 6 on
// (net/netfilter/ipset/ip_set_hash_netiface.c).
Feature DescribeInterfaceType(std::string name, const absl::StatusOr<VersionRange>& range) {
  constexpr std::uint8_t kFirstWithMarks = 6;
  name += " with marks and counters";
  Feature feature = Describe(std::move(name), range, "revisions");
  if (!range.ok() || range->max >= kFirstWithMarks) return feature;
  feature.present = false;
  feature.detail = fmt::format("the kernel has no revision {}", kFirstWithMarks);
  return feature;
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
  for (const std::string_view type :
       {TypeName(ir::SetKind::kNet), TypeName(ir::SetKind::kIpPort), kInterfaceTypeName}) {
    for (const model::IpFamily family : model::kIpFamilies) {
      const std::string_view family_name = family == model::IpFamily::kV4 ? "inet" : "inet6";
      std::string name = fmt::format("{} {}", type, family_name);
      const absl::StatusOr<VersionRange> range = (*reader)->TypeRevisions(type, family);
      features.push_back(type == kInterfaceTypeName
                             ? DescribeInterfaceType(std::move(name), range)
                             : Describe(std::move(name), range, "revisions"));
    }
  }
  return features;
}

}  // namespace felix::ipset
