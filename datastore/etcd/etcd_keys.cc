// SPDX-License-Identifier: Apache-2.0
#include "datastore/etcd/etcd_keys.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "fmt/format.h"

#include "datastore/resource_document.h"
#include "datastore/v1_object.h"
#include "model/base/strings.h"

namespace felix::datastore {
namespace {

constexpr std::string_view kV3Prefix = "/calico/resources/v3/projectcalico.org/";
constexpr std::string_view kV1Prefix = "/calico/v1/";

struct Plural {
  std::string_view plural;
  std::string_view kind;
  bool is_namespaced;
};

constexpr std::array<Plural, 14> kPlurals = {{
    {"clusterinformations", "ClusterInformation", false},
    {"felixconfigurations", "FelixConfiguration", false},
    {"globalnetworkpolicies", "GlobalNetworkPolicy", false},
    {"globalnetworksets", "GlobalNetworkSet", false},
    {"hostendpoints", "HostEndpoint", false},
    {"ippools", "IPPool", false},
    {"networkpolicies", "NetworkPolicy", true},
    {"networksets", "NetworkSet", true},
    {"nodes", "Node", false},
    {"profiles", "Profile", false},
    {"stagedglobalnetworkpolicies", "StagedGlobalNetworkPolicy", false},
    {"stagednetworkpolicies", "StagedNetworkPolicy", true},
    {"tiers", "Tier", false},
    {"workloadendpoints", "WorkloadEndpoint", true},
}};

struct Identity {
  std::string_view kind;
  std::string namespace_name;
  std::string name;
};

// None: a kind that is of no use here, or not the layout of its kind.
std::optional<Identity> ParseKey(std::string_view key) {
  key.remove_prefix(kV3Prefix.size());
  const std::vector<std::string> parts = absl::StrSplit(ToAbsl(key), '/');
  const auto plural = std::find_if(kPlurals.begin(), kPlurals.end(),
                                   [&](const Plural& known) { return known.plural == parts[0]; });
  if (plural == kPlurals.end()) return std::nullopt;
  if (parts.size() != (plural->is_namespaced ? 3U : 2U)) return std::nullopt;
  return Identity{plural->kind, plural->is_namespaced ? parts[1] : "", parts.back()};
}

std::string Describe(const Identity& identity) {
  return identity.namespace_name.empty()
             ? fmt::format("{} {}", identity.kind, identity.name)
             : fmt::format("{} {}/{}", identity.kind, identity.namespace_name, identity.name);
}

Decoded Refuse(std::string_view key, const Identity& identity, std::string_view reason) {
  Decoded decoded;
  decoded.object = Printable(Describe(identity));
  decoded.refusal = Refusal{decoded.object, Printable(key), "", Printable(reason)};
  return decoded;
}

std::string Member(const DocumentNode* object, std::string_view name) {
  if (object == nullptr || object->kind() != DocumentNode::Kind::kObject) return {};
  const DocumentNode* member = object->Find(name);
  if (member == nullptr || member->kind() != DocumentNode::Kind::kString) return {};
  return member->string();
}

// A value under another's key would let whoever may write the one define the other.
std::optional<std::string> Mismatch(const DocumentNode& object, const Identity& identity) {
  const DocumentNode* metadata =
      object.kind() == DocumentNode::Kind::kObject ? object.Find("metadata") : nullptr;
  const std::pair<std::string, std::string_view> parts[] = {
      {Member(&object, "kind"), identity.kind},
      {Member(metadata, "namespace"), identity.namespace_name},
      {Member(metadata, "name"), identity.name}};
  for (const auto& [found, expected] : parts) {
    if (found != expected) return fmt::format("the value says '{}' of itself", found);
  }
  return std::nullopt;
}

Decoded Ignore(std::string_view kind) {
  Decoded decoded;
  decoded.ignored_kind = Printable(kind);
  return decoded;
}

}  // namespace

Decoded DecodeEtcdValue(std::string_view key, std::string_view value) {
  if (key.starts_with(kV1Prefix)) return DecodeV1(key, value);
  if (!key.starts_with(kV3Prefix)) return Ignore("key of another use");
  const std::optional<Identity> identity = ParseKey(key);
  if (!identity) {
    const std::string_view rest = key.substr(kV3Prefix.size());
    return Ignore(rest.substr(0, rest.find('/')));
  }
  const ParsedText parsed = ParseJson(value);
  if (parsed.fault) {
    return Refuse(key, *identity,
                  fmt::format("{} at {}", parsed.fault->reason, parsed.fault->position.ToString()));
  }
  if (parsed.documents.size() != 1) return Refuse(key, *identity, "the value is empty");
  if (const auto mismatch = Mismatch(parsed.documents.front(), *identity)) {
    return Refuse(key, *identity, *mismatch);
  }
  return DecodeResource(parsed.documents.front(), key, Author::kClient);
}

bool IsDatastoreReady(std::string_view cluster_information) {
  const ParsedText parsed = ParseJson(cluster_information);
  if (parsed.fault || parsed.documents.size() != 1) return false;
  const DocumentNode& object = parsed.documents.front();
  if (object.kind() != DocumentNode::Kind::kObject) return false;
  const DocumentNode* spec = object.Find("spec");
  if (spec == nullptr || spec->kind() != DocumentNode::Kind::kObject) return false;
  const DocumentNode* ready = spec->Find("datastoreReady");
  return ready != nullptr && ready->kind() == DocumentNode::Kind::kBoolean && ready->boolean();
}

}  // namespace felix::datastore
