// SPDX-License-Identifier: Apache-2.0
#include "datastore/v3_decoder.h"

#include <algorithm>
#include <array>

#include "fmt/format.h"

#include "datastore/felix_configuration.h"
#include "datastore/host_endpoint.h"
#include "datastore/names.h"
#include "datastore/object_metadata.h"
#include "datastore/v3_cluster.h"
#include "datastore/v3_endpoint.h"
#include "datastore/v3_selector.h"

namespace felix::datastore {
namespace {

constexpr std::string_view kApiVersion = "projectcalico.org/v3";
constexpr std::size_t kLongestPrintable = 512;

// Kinds of the API that this engine has no use for.
constexpr std::array<std::string_view, 11> kIgnoredKinds = {
    "BGPConfiguration", "BGPFilter",
    "BGPPeer",          "BlockAffinity",
    "CalicoNodeStatus", "ClusterInformation",
    "IPAMConfig",       "IPAMConfiguration",
    "IPReservation",    "KubeControllersConfiguration",
    "LiveMigration"};

struct Context {
  const ObjectMetadata& metadata;
  const Field& spec;
  Faults& faults;
  Faults& remarks;
  Decoded& decoded;
  Author author;
};

void DecodePolicy(model::PolicyKind kind, Context& context) {
  const ObjectMetadata& metadata = context.metadata;
  const bool global = metadata.namespace_name.empty();
  if (const auto problem = CheckPolicyName(metadata.name, global)) {
    context.faults.Add(metadata.position, "metadata.name", *problem);
    return;
  }
  context.decoded.key = model::PolicyId{kind, metadata.namespace_name, metadata.name};
  if (model::IsStaged(kind)) return;
  ReadPolicyResult read =
      ReadPolicySpec(context.spec, metadata.namespace_name, context.author, context.faults);
  context.decoded.policy = std::move(read.parts);
  if (context.faults.empty()) context.decoded.value = std::move(read.policy);
}

void DecodeWorkloadEndpoint(Context& context) {
  const ObjectMetadata& metadata = context.metadata;
  const std::optional<WorkloadEndpointName> name = ParseWorkloadEndpointName(metadata.name);
  if (!name) {
    context.faults.Add(metadata.position, "metadata.name",
                       "is not <node>-<orchestrator>-<workload>-<endpoint> with inner dashes "
                       "doubled");
    return;
  }
  context.decoded.key = model::WorkloadEndpointId{
      name->node, name->orchestrator, fmt::format("{}/{}", metadata.namespace_name, name->workload),
      name->endpoint};
  model::WorkloadEndpoint endpoint = ReadWorkloadEndpointSpec(
      context.spec, *name, metadata.namespace_name, metadata.labels, context.faults);
  if (context.faults.empty()) context.decoded.value = std::move(endpoint);
}

void DecodeTier(Context& context) {
  if (const auto problem = CheckTierName(context.metadata.name)) {
    context.faults.Add(context.metadata.position, "metadata.name", *problem);
    return;
  }
  context.decoded.key = model::TierId{context.metadata.name};
  const model::Tier tier =
      ReadTierSpec(context.spec, context.author, context.faults, context.remarks);
  if (context.faults.empty()) context.decoded.value = tier;
}

void DecodeProfile(Context& context) {
  context.decoded.key = model::ProfileId{context.metadata.name};
  model::Profile profile = ReadProfileSpec(context.spec, context.faults);
  if (context.faults.empty()) context.decoded.value = std::move(profile);
}

void DecodeNetworkSet(Context& context) {
  const ObjectMetadata& metadata = context.metadata;
  context.decoded.key = model::NetworkSetId{metadata.namespace_name, metadata.name};
  const auto label = metadata.labels.Get(kNamespaceLabel);
  if (label && *label != metadata.namespace_name) {
    context.faults.Add(metadata.position, "metadata.labels",
                       fmt::format("'{}' is the system's", kNamespaceLabel));
  }
  model::NetworkSet set =
      ReadNetworkSetSpec(context.spec, metadata.namespace_name, metadata.labels, context.faults);
  if (context.faults.empty()) context.decoded.value = std::move(set);
}

void DecodeFelixConfiguration(Context& context) {
  const ObjectMetadata& metadata = context.metadata;
  const std::optional<model::ConfigId> id = ParseFelixConfigurationName(metadata.name);
  if (!id) {
    context.faults.Add(metadata.position, "metadata.name",
                       "is neither 'default' nor 'node.<host>'; others are not supported");
    return;
  }
  context.decoded.key = *id;
  model::ConfigParameters parameters =
      ReadFelixConfigurationSpec(context.spec, metadata.annotations, context.faults);
  if (context.faults.empty()) context.decoded.value = std::move(parameters);
}

void DecodeIpPool(Context& context) {
  context.decoded.key = model::IpPoolId{context.metadata.name};
  const model::IpPool pool = ReadIpPoolSpec(context.spec, context.faults);
  if (context.faults.empty()) context.decoded.value = pool;
}

void DecodeNode(Context& context) {
  context.decoded.key = model::NodeId{context.metadata.name};
  model::Node node = ReadNodeSpec(context.spec, context.faults);
  if (context.faults.empty()) context.decoded.value = std::move(node);
}

void DecodeHostEndpoint(Context& context) {
  const ObjectMetadata& metadata = context.metadata;
  const std::string host = ReadHostOfEndpoint(context.spec, context.faults);
  if (host.empty()) return;
  context.decoded.key = model::HostEndpointId{host, metadata.name};
  model::HostEndpoint endpoint =
      ReadHostEndpointSpec(context.spec, metadata.labels, context.faults);
  if (context.faults.empty()) context.decoded.value = std::move(endpoint);
}

struct KnownKind {
  std::string_view name;
  Scope scope;
  void (*decode)(Context&);
};

constexpr std::array<KnownKind, 14> kKnownKinds = {{
    {"FelixConfiguration", Scope::kCluster, DecodeFelixConfiguration},
    {"GlobalNetworkPolicy", Scope::kCluster,
     [](Context& c) { DecodePolicy(model::PolicyKind::kGlobalNetworkPolicy, c); }},
    {"GlobalNetworkSet", Scope::kCluster, DecodeNetworkSet},
    {"HostEndpoint", Scope::kCluster, DecodeHostEndpoint},
    {"IPPool", Scope::kCluster, DecodeIpPool},
    {"NetworkPolicy", Scope::kNamespaced,
     [](Context& c) { DecodePolicy(model::PolicyKind::kNetworkPolicy, c); }},
    {"NetworkSet", Scope::kNamespaced, DecodeNetworkSet},
    {"Node", Scope::kCluster, DecodeNode},
    {"Profile", Scope::kCluster, DecodeProfile},
    {"StagedGlobalNetworkPolicy", Scope::kCluster,
     [](Context& c) { DecodePolicy(model::PolicyKind::kStagedGlobalNetworkPolicy, c); }},
    {"StagedKubernetesNetworkPolicy", Scope::kNamespaced,
     [](Context& c) { DecodePolicy(model::PolicyKind::kStagedKubernetesNetworkPolicy, c); }},
    {"StagedNetworkPolicy", Scope::kNamespaced,
     [](Context& c) { DecodePolicy(model::PolicyKind::kStagedNetworkPolicy, c); }},
    {"Tier", Scope::kCluster, DecodeTier},
    {"WorkloadEndpoint", Scope::kNamespaced, DecodeWorkloadEndpoint},
}};

const KnownKind* FindKind(std::string_view name) {
  const auto it = std::find_if(kKnownKinds.begin(), kKnownKinds.end(),
                               [name](const KnownKind& kind) { return kind.name == name; });
  return it == kKnownKinds.end() ? nullptr : it;
}

Refusal MakeRefusal(const Decoded& decoded, std::string_view origin, const DocumentNode& object,
                    const Faults& faults) {
  const Position position = faults.position().line != 0 ? faults.position() : object.position();
  Refusal refusal;
  refusal.object = decoded.object;
  refusal.origin =
      position.line == 0 ? std::string(origin) : fmt::format("{}:{}", origin, position.ToString());
  refusal.field = Printable(faults.field());
  refusal.reason = Printable(faults.reason());
  return refusal;
}

// The kind, if the object is one that this engine decodes; a fault or ignored_kind otherwise.
const KnownKind* ReadEnvelope(ObjectReader& envelope, Decoded& decoded) {
  const std::string kind = envelope.StringOrEmpty("kind");
  const std::string api_version = envelope.StringOrEmpty("apiVersion");
  if (!kind.empty()) decoded.object = Printable(kind);
  if (api_version != kApiVersion) {
    envelope.Fault("apiVersion", api_version.empty()
                                     ? "missing"
                                     : fmt::format("'{}' is not {}", api_version, kApiVersion));
    return nullptr;
  }
  if (kind.empty()) {
    envelope.Fault("kind", "missing");
    return nullptr;
  }
  if (std::find(kIgnoredKinds.begin(), kIgnoredKinds.end(), kind) != kIgnoredKinds.end()) {
    decoded.ignored_kind = kind;
    return nullptr;
  }
  const KnownKind* known = FindKind(kind);
  if (known == nullptr) envelope.Fault("kind", fmt::format("'{}' is unknown", kind));
  return known;
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string printable(text.substr(0, kLongestPrintable));
  while (const auto invalid = FindInvalidUtf8(printable)) printable[*invalid] = '?';
  if (printable.size() < text.size()) printable += "...";
  for (char& c : printable) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) c = '?';
  }
  return printable;
}

Decoded DecodeResource(const DocumentNode& object, std::string_view origin, Author author) {
  Decoded decoded;
  decoded.position = object.position();
  Faults faults;
  Faults remarks;
  ObjectReader envelope(Field{&object, ""}, faults);
  if (const KnownKind* kind = ReadEnvelope(envelope, decoded); kind != nullptr && faults.empty()) {
    static const DocumentNode* const kAbsent = new DocumentNode(DocumentNode::Null({}));
    const ObjectMetadata metadata = ReadMetadata(envelope, kind->scope);
    decoded.object = Printable(
        metadata.namespace_name.empty()
            ? fmt::format("{} {}", kind->name, metadata.name)
            : fmt::format("{} {}/{}", kind->name, metadata.namespace_name, metadata.name));
    const Field spec = envelope.Find("spec").value_or(Field{kAbsent, "spec"});
    static_cast<void>(envelope.Find("status"));
    envelope.RefuseUnknown();
    if (metadata.identity_is_valid) {
      Context context{metadata, spec, faults, remarks, decoded, author};
      kind->decode(context);
    }
  }
  if (!faults.empty()) {
    decoded.value.reset();
    decoded.refusal = MakeRefusal(decoded, origin, object, faults);
  } else if (!remarks.empty()) {
    decoded.refusal = MakeRefusal(decoded, origin, object, remarks);
  }
  return decoded;
}

std::vector<const DocumentNode*> SplitResources(const std::vector<DocumentNode>& documents) {
  std::vector<const DocumentNode*> objects;
  for (const DocumentNode& document : documents) {
    const DocumentNode* list = nullptr;
    if (document.kind() == DocumentNode::Kind::kList) {
      list = &document;
    } else if (document.kind() == DocumentNode::Kind::kObject) {
      const DocumentNode* kind = document.Find("kind");
      const DocumentNode* items = document.Find("items");
      const bool is_list = kind != nullptr && kind->string().ends_with("List") &&
                           items != nullptr &&
                           (items->IsNull() || items->kind() == DocumentNode::Kind::kList);
      if (is_list) list = items;
    }
    if (list == nullptr) {
      objects.push_back(&document);
    } else {
      for (const DocumentNode& element : list->children()) objects.push_back(&element);
    }
  }
  return objects;
}

}  // namespace felix::datastore
