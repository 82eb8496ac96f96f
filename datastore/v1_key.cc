// SPDX-License-Identifier: Apache-2.0
#include "datastore/v1_key.h"

#include <algorithm>
#include <array>
#include <vector>

#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "fmt/format.h"

#include "datastore/names.h"
#include "model/base/strings.h"

namespace felix::datastore {
namespace {

using Segments = std::vector<std::string_view>;

constexpr std::array<std::string_view, 5> kHostFacts = {"bird6_ip", "bird_ip", "metadata",
                                                        "wireguard", "wireguard_v6"};

std::string Unescape(std::string_view segment) {
  return absl::StrReplaceAll(ToAbsl(segment), {{"%2f", "/"}, {"%2F", "/"}, {"%25", "%"}});
}

// A name that may hold a slash, which some writers escape.
std::string Rest(const Segments& segments, std::size_t from) {
  std::string name;
  for (std::size_t i = from; i < segments.size(); ++i) {
    if (i > from) name += '/';
    name += Unescape(segments[i]);
  }
  return name;
}

V1Key ParseHostKey(const Segments& segments) {
  V1Key key;
  if (segments.size() < 3) return key;
  key.host = segments[1];
  const std::string_view tree = segments[2];
  if (segments.size() == 3) {
    if (std::find(kHostFacts.begin(), kHostFacts.end(), tree) != kHostFacts.end()) {
      key.kind = V1Key::Kind::kHostFact;
    }
  } else if (segments.size() == 4 && (tree == "config" || tree == "endpoint")) {
    key.kind = tree == "config" ? V1Key::Kind::kHostConfig : V1Key::Kind::kHostEndpoint;
    key.name = Unescape(segments[3]);
  } else if (segments.size() == 7 && tree == "workload" && segments[5] == "endpoint") {
    key.kind = V1Key::Kind::kWorkloadEndpoint;
    key.orchestrator = Unescape(segments[3]);
    key.workload = Unescape(segments[4]);
    key.name = Unescape(segments[6]);
  }
  return key;
}

V1Key ParsePolicyKey(const Segments& segments) {
  V1Key key;
  if (segments.size() < 4) return key;
  if (segments[1] == "profile" && segments.size() == 4) {
    key.name = Unescape(segments[2]);
    if (segments[3] == "rules") key.kind = V1Key::Kind::kProfileRules;
    if (segments[3] == "labels") key.kind = V1Key::Kind::kProfileLabels;
    if (segments[3] == "tags") key.kind = V1Key::Kind::kProfileTags;
  } else if (segments[1] == "tier" && segments[3] == "metadata" && segments.size() == 4) {
    key.kind = V1Key::Kind::kTier;
    key.name = Unescape(segments[2]);
  } else if (segments[1] == "tier" && segments[3] == "policy" && segments.size() >= 5) {
    key.kind = V1Key::Kind::kPolicy;
    key.tier = Unescape(segments[2]);
    key.name = Rest(segments, 4);
  }
  return key;
}

std::optional<std::string> CheckPath(std::string_view what, std::string_view path) {
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return CheckV1Name(what, path);
  if (auto problem = CheckV1Name(what, path.substr(0, slash))) return problem;
  return CheckV1Name(what, path.substr(slash + 1));
}

// The prefix by which a policy is known to be staged has a colon, which no name has.
std::string WithoutStagedPrefix(std::string_view name) {
  constexpr std::string_view kStaged = "staged:";
  const std::size_t slash = name.find('/');
  const std::size_t start =
      slash == std::string_view::npos || name.starts_with(kStaged) ? 0 : slash + 1;
  if (!name.substr(start).starts_with(kStaged)) return std::string(name);
  return fmt::format("{}{}", name.substr(0, start), name.substr(start + kStaged.size()));
}

}  // namespace

V1Key ParseV1Key(std::string_view text) {
  V1Key key;
  if (text.starts_with('/')) text.remove_prefix(1);
  Segments segments;
  for (const absl::string_view part : absl::StrSplit(ToAbsl(text), '/')) {
    segments.push_back(ToStd(part));
  }
  if (segments.size() < 3 || segments[0] != "calico") return key;
  if (segments[1] != "v1") {
    const bool v3 = segments[1] == "resources" && segments[2] == "v3";
    key.kind = v3 ? V1Key::Kind::kV3Resource : V1Key::Kind::kOther;
    return key;
  }
  segments.erase(segments.begin(), segments.begin() + 2);
  if (segments[0] == "Ready" && segments.size() == 1) {
    key.kind = V1Key::Kind::kReady;
  } else if (segments[0] == "config" && segments.size() == 2) {
    key.kind = V1Key::Kind::kConfig;
    key.name = Unescape(segments[1]);
  } else if (segments[0] == "host") {
    key = ParseHostKey(segments);
  } else if (segments[0] == "policy") {
    key = ParsePolicyKey(segments);
  } else if (segments[0] == "netset" && segments.size() >= 2) {
    key.kind = V1Key::Kind::kNetworkSet;
    key.name = Rest(segments, 1);
  } else if (segments[0] == "ipam") {
    key.kind = V1Key::Kind::kIpPool;
  }
  return key;
}

std::optional<std::string> CheckV1Name(std::string_view what, std::string_view name) {
  // The names of profiles are still made of what all names of this store were.
  if (const auto problem = CheckProfileName(name)) {
    return fmt::format("{} '{}': {}", what, name, *problem);
  }
  return std::nullopt;
}

std::optional<std::string> CheckV1Names(const V1Key& key) {
  switch (key.kind) {
    case V1Key::Kind::kUnknown:
    case V1Key::Kind::kOther:
    case V1Key::Kind::kV3Resource:
    case V1Key::Kind::kReady:
    case V1Key::Kind::kHostFact:
    case V1Key::Kind::kIpPool:
      return std::nullopt;
    case V1Key::Kind::kConfig:
      return CheckV1Name("parameter", key.name);
    case V1Key::Kind::kHostConfig:
      if (auto problem = CheckV1Name("host", key.host)) return problem;
      return CheckV1Name("parameter", key.name);
    case V1Key::Kind::kWorkloadEndpoint:
      if (auto problem = CheckV1Name("host", key.host)) return problem;
      if (auto problem = CheckV1Name("orchestrator", key.orchestrator)) return problem;
      if (auto problem = CheckPath("workload", key.workload)) return problem;
      return CheckV1Name("endpoint", key.name);
    case V1Key::Kind::kHostEndpoint:
      if (auto problem = CheckV1Name("host", key.host)) return problem;
      return CheckV1Name("endpoint", key.name);
    case V1Key::Kind::kProfileRules:
    case V1Key::Kind::kProfileLabels:
    case V1Key::Kind::kProfileTags:
      return CheckV1Name("profile", key.name);
    case V1Key::Kind::kTier:
      return CheckV1Name("tier", key.name);
    case V1Key::Kind::kPolicy:
      if (auto problem = CheckV1Name("tier", key.tier)) return problem;
      return CheckPath("policy", WithoutStagedPrefix(key.name));
    case V1Key::Kind::kNetworkSet:
      return CheckPath("network set", key.name);
  }
  return std::nullopt;
}

}  // namespace felix::datastore
