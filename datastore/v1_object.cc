// SPDX-License-Identifier: Apache-2.0
#include "datastore/v1_object.h"

#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "fmt/format.h"

#include "datastore/host_endpoint.h"
#include "datastore/v1_cluster.h"
#include "datastore/v1_endpoint.h"
#include "datastore/v1_key.h"
#include "datastore/v1_policy.h"
#include "model/base/strings.h"

namespace felix::datastore {
namespace {

using Kind = V1Key::Kind;

// Writers of the store put null where they meant nothing.
DocumentNode WithoutNulls(const DocumentNode& node) {
  if (node.kind() == DocumentNode::Kind::kList) {
    DocumentNode list = DocumentNode::List(node.position());
    for (const DocumentNode& element : node.children()) list.Append(WithoutNulls(element));
    return list;
  }
  if (node.kind() != DocumentNode::Kind::kObject) return node;
  DocumentNode object = DocumentNode::Object(node.position());
  for (std::size_t i = 0; i < node.keys().size(); ++i) {
    const DocumentNode& member = node.children()[i];
    if (!member.IsNull()) object.AddMember(node.keys()[i], WithoutNulls(member));
  }
  return object;
}

struct Context {
  const V1Key& key;
  Faults& faults;
  Decoded& decoded;
};

template <typename T>
void SetValue(Context& context, T value) {
  if (context.faults.empty()) context.decoded.value = std::move(value);
}

void DecodePolicy(const Field& field, Context& context) {
  if (model::IsStaged(std::get<model::PolicyId>(*context.decoded.key).kind)) return;
  ReadPolicyResult read = ReadV1Policy(field, context.key.tier, context.faults);
  context.decoded.policy = std::move(read.parts);
  SetValue(context, std::move(read.policy));
}

// The values that are JSON.
void DecodeJson(const DocumentNode& written, Context& context) {
  const DocumentNode node = WithoutNulls(written);
  const Field field{&node, ""};
  switch (context.key.kind) {
    case Kind::kWorkloadEndpoint:
      return SetValue(context,
                      ReadV1WorkloadEndpoint(field, context.key.orchestrator, context.faults));
    case Kind::kHostEndpoint:
      return SetValue(context, ReadV1HostEndpoint(field, context.faults));
    case Kind::kProfileRules:
      return SetValue(context, ReadV1ProfileRules(field, context.faults));
    case Kind::kProfileLabels:
      return SetValue(context, ReadV1ProfileLabels(field, context.faults));
    case Kind::kProfileTags:
      return SetValue(context, ReadV1ProfileTags(field, context.faults));
    case Kind::kTier:
      return SetValue(context, ReadV1Tier(field, context.faults));
    case Kind::kNetworkSet:
      return SetValue(context,
                      ReadV1NetworkSet(
                          field, std::get<model::NetworkSetId>(*context.decoded.key).namespace_name,
                          context.faults));
    case Kind::kPolicy:
      return DecodePolicy(field, context);
    case Kind::kUnknown:
    case Kind::kOther:
    case Kind::kV3Resource:
    case Kind::kReady:
    case Kind::kConfig:
    case Kind::kHostConfig:
    case Kind::kHostFact:
    case Kind::kIpPool:
      return;
  }
}

// The values that are plain text.
void DecodeText(const std::string& text, Context& context) {
  if (context.key.kind == Kind::kReady) {
    if (text != "true") {
      context.decoded.hold =
          fmt::format("the datastore is not ready: /calico/v1/Ready is '{}'", Printable(text));
    }
    return;
  }
  model::ConfigParameters parameters;
  parameters.values.emplace(context.key.name, text);
  SetValue(context, std::move(parameters));
}

std::optional<model::Key> Identity(const V1Key& key) {
  switch (key.kind) {
    case Kind::kConfig:
      return model::ConfigId{};
    case Kind::kHostConfig:
      return model::ConfigId{key.host};
    case Kind::kWorkloadEndpoint:
      return model::WorkloadEndpointId{key.host, key.orchestrator, key.workload, key.name};
    case Kind::kHostEndpoint:
      return model::HostEndpointId{key.host, key.name};
    case Kind::kProfileRules:
    case Kind::kProfileLabels:
    case Kind::kProfileTags:
      return model::ProfileId{key.name};
    case Kind::kTier:
      return model::TierId{key.name};
    case Kind::kPolicy:
      return V1PolicyId(key.name);
    case Kind::kNetworkSet: {
      const std::size_t slash = key.name.find('/');
      if (slash == std::string::npos) return model::NetworkSetId{"", key.name};
      return model::NetworkSetId{key.name.substr(0, slash), key.name.substr(slash + 1)};
    }
    case Kind::kUnknown:
    case Kind::kOther:
    case Kind::kV3Resource:
    case Kind::kReady:
    case Kind::kHostFact:
    case Kind::kIpPool:
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<std::string> IgnoredKind(const V1Key& key) {
  switch (key.kind) {
    case Kind::kIpPool:
      return "IPPool";
    case Kind::kHostFact:
      return "Node";
    case Kind::kOther:
      return "key outside /calico/v1";
    default:
      break;
  }
  // Written so that the directory exists.
  if (key.kind == Kind::kHostConfig && key.name == "marker") return "marker";
  return std::nullopt;
}

bool IsText(Kind kind) {
  return kind == Kind::kReady || kind == Kind::kConfig || kind == Kind::kHostConfig;
}

// What the key alone says; whether there is a value to decode.
bool DecodeKey(const V1Key& key, Faults& faults, Decoded& decoded) {
  decoded.is_v1 = true;
  decoded.ignored_kind = IgnoredKind(key);
  if (decoded.ignored_kind) return false;
  std::optional<std::string> problem;
  if (key.kind == Kind::kUnknown) {
    problem = "not a key of Calico's datastore";
  } else if (key.kind == Kind::kV3Resource) {
    problem = "v3 resources are read as objects, without a key";
  } else {
    problem = CheckV1Names(key);
  }
  if (problem) {
    faults.Add(Position{}, "key", *problem);
    return false;
  }
  decoded.key = Identity(key);
  // Whatever becomes of the value, the key says which tier a policy is in.
  if (key.kind == Kind::kPolicy && !model::IsStaged(std::get<model::PolicyId>(*decoded.key).kind)) {
    decoded.policy = PolicyParts{key.tier, std::nullopt, std::nullopt, std::nullopt};
  }
  if (key.kind == Kind::kProfileRules) decoded.part = "rules";
  if (key.kind == Kind::kProfileLabels) decoded.part = "labels";
  if (key.kind == Kind::kProfileTags) decoded.part = "tags";
  if (IsText(key.kind)) decoded.part = absl::AsciiStrToLower(ToAbsl(key.name));
  return true;
}

void DecodeStored(std::string_view value, Context& context) {
  if (IsText(context.key.kind)) {
    if (FindInvalidUtf8(value)) {
      context.faults.Add(Position{}, "", "value is not valid UTF-8");
      return;
    }
    DecodeText(std::string(value), context);
    return;
  }
  const ParsedText parsed = ParseJson(value);
  if (parsed.fault) {
    context.faults.Add(parsed.fault->position, "",
                       fmt::format("value is not JSON: {}", parsed.fault->reason));
  } else if (parsed.documents.empty()) {
    context.faults.Add(Position{}, "", "value is empty");
  } else {
    DecodeJson(parsed.documents.front(), context);
  }
}

void DecodeWritten(const DocumentNode& value, Context& context) {
  if (value.kind() == DocumentNode::Kind::kString) {
    DecodeStored(value.string(), context);
    return;
  }
  if (!IsText(context.key.kind)) {
    if (value.IsNull()) {
      context.faults.Add(value, "", "value is empty");
    } else {
      DecodeJson(value, context);
    }
    return;
  }
  if (const std::optional<std::string> text = ScalarText(value)) {
    DecodeText(*text, context);
  } else {
    context.faults.Add(value, "", fmt::format("value is {}, not a text", Describe(value.kind())));
  }
}

void Refuse(Context& context, std::string object, std::string origin) {
  const Faults& faults = context.faults;
  Decoded& decoded = context.decoded;
  decoded.value.reset();
  decoded.refusal = Refusal{std::move(object), std::move(origin), Printable(faults.field()),
                            Printable(faults.reason())};
  // A flag that cannot be read is no word that all is well.
  if (context.key.kind == Kind::kReady) {
    decoded.hold = "the datastore is not ready: /calico/v1/Ready cannot be read";
  }
}

}  // namespace

Decoded DecodeV1(std::string_view key, std::string_view value) {
  Decoded decoded;
  decoded.object = Printable(key);
  const V1Key parsed = ParseV1Key(key);
  Faults faults;
  Context context{parsed, faults, decoded};
  if (DecodeKey(parsed, faults, decoded)) DecodeStored(value, context);
  if (!faults.empty()) Refuse(context, "", decoded.object);
  return decoded;
}

bool IsV1Entry(const DocumentNode& object) {
  if (object.kind() != DocumentNode::Kind::kObject) return false;
  const DocumentNode* key = object.Find("key");
  return key != nullptr && key->kind() == DocumentNode::Kind::kString &&
         object.Find("kind") == nullptr && object.Find("apiVersion") == nullptr;
}

Decoded DecodeV1Entry(const DocumentNode& object, std::string_view origin) {
  Decoded decoded;
  decoded.position = object.position();
  Faults faults;
  ObjectReader reader(Field{&object, ""}, faults);
  const std::string key = reader.StringOrEmpty("key");
  static_cast<void>(reader.Find("value"));
  reader.RefuseUnknown();
  decoded.object = Printable(key);
  const V1Key parsed = ParseV1Key(key);
  Context context{parsed, faults, decoded};
  const DocumentNode* value = object.Find("value");
  bool positions_are_here = true;
  if (DecodeKey(parsed, faults, decoded)) {
    if (value == nullptr) {
      faults.Add(object, "value", "missing");
    } else {
      positions_are_here = value->kind() != DocumentNode::Kind::kString;
      DecodeWritten(*value, context);
    }
  }
  if (!faults.empty()) {
    Position position = faults.position();
    if (!positions_are_here) position = value->position();
    if (position.line == 0) position = object.position();
    Refuse(context, decoded.object, fmt::format("{}:{}", origin, position.ToString()));
  }
  return decoded;
}

}  // namespace felix::datastore
