// SPDX-License-Identifier: Apache-2.0
#include "felix/check.h"

#include <algorithm>
#include <string_view>

#include "fmt/format.h"
#include "fmt/ranges.h"

#include "felix/json_line.h"
#include "ipset/features.h"
#include "iptables/features.h"

namespace felix {
namespace {

bool IsNeeded(std::string_view name, const compiler::Options& options) {
  if (!options.ipv6_support && (name.starts_with("ipv6") || name.find("inet6") != name.npos)) {
    return false;
  }
  // Only the filter table is always written; the others are merely swept if they are there.
  for (const std::string_view table : {" table raw", " table nat"}) {
    if (name.ends_with(table)) return false;
  }
  for (const std::string_view of_shared : {" table mangle", " target SET ", "hash:net,iface "}) {
    if (name.find(of_shared) == name.npos) continue;
    return options.chain_layout == compiler::ChainLayout::kShared;
  }
  return true;
}

}  // namespace

std::vector<CheckedFeature> CheckFeatures(const compiler::Options& options) {
  std::vector<CheckedFeature> checked;
  for (const iptables::Feature& feature : iptables::ProbeFeatures()) {
    checked.push_back(
        {feature.name, IsNeeded(feature.name, options), feature.present, feature.detail});
  }
  for (const ipset::Feature& feature : ipset::ProbeFeatures()) {
    checked.push_back(
        {feature.name, IsNeeded(feature.name, options), feature.present, feature.detail});
  }
  return checked;
}

bool IsSufficient(const std::vector<CheckedFeature>& features) {
  return std::all_of(features.begin(), features.end(), [](const CheckedFeature& feature) {
    return feature.present || !feature.needed;
  });
}

std::string CheckText(const std::vector<CheckedFeature>& features, const LayoutFit& fit) {
  std::string text;
  std::vector<std::string_view> missing;
  for (const CheckedFeature& feature : features) {
    const std::string_view verdict =
        feature.present ? "ok" : (feature.needed ? "MISSING" : "absent");
    text += fmt::format("{:<8} {}{}{}\n", verdict, feature.name, feature.detail.empty() ? "" : ": ",
                        feature.detail);
    if (!feature.present && feature.needed) missing.push_back(feature.name);
  }
  text += missing.empty() ? std::string("everything needed is there\n")
                          : fmt::format("missing: {}\n", fmt::join(missing, ", "));
  return text + LayoutText(fit);
}

std::string CheckJson(const std::vector<CheckedFeature>& features, const LayoutFit& fit) {
  JsonLine json;
  json.BeginObject();
  json.Flag("sufficient", IsSufficient(features));
  json.Key("features").BeginArray();
  for (const CheckedFeature& feature : features) {
    json.BeginObject();
    json.Field("name", feature.name);
    json.Flag("needed", feature.needed);
    json.Flag("present", feature.present);
    json.Field("detail", feature.detail);
    json.EndObject();
  }
  json.EndArray();
  json.Key("layout");
  WriteLayout(fit, json);
  json.EndObject();
  return json.Text();
}

}  // namespace felix
