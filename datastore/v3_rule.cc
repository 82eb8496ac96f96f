// SPDX-License-Identifier: Apache-2.0
#include "datastore/v3_rule.h"

#include <optional>

#include "absl/strings/match.h"
#include "fmt/format.h"

#include "datastore/names.h"
#include "datastore/v3_entity.h"
#include "model/base/strings.h"

namespace felix::datastore {
namespace {

struct ReadProtocol {
  model::Protocol protocol;
  // Only the names of the two protocols imply a version of IP; their numbers do not.
  std::optional<model::IpFamily> implied_family;
};

std::optional<ReadProtocol> ParseProtocol(ObjectReader& rule, std::string_view name) {
  const std::optional<Field> field = rule.Find(name);
  if (!field) return std::nullopt;
  std::string text;
  if (field->node->kind() == DocumentNode::Kind::kInteger) {
    text = fmt::format("{}", field->node->integer());
  } else if (auto string = ReadString(*field, rule.faults())) {
    text = *std::move(string);
  } else {
    return std::nullopt;
  }
  const absl::StatusOr<model::Protocol> protocol = model::Protocol::Parse(text);
  if (!protocol.ok()) {
    rule.Fault(name, fmt::format("protocol '{}' is neither known nor a number in 1..255", text));
    return std::nullopt;
  }
  ReadProtocol read{*protocol, std::nullopt};
  if (absl::EqualsIgnoreCase(text, "icmp")) read.implied_family = model::IpFamily::kV4;
  if (absl::EqualsIgnoreCase(text, "icmpv6")) read.implied_family = model::IpFamily::kV6;
  return read;
}

std::optional<model::RuleAction> ReadAction(ObjectReader& rule, const RuleOwner& owner) {
  const std::optional<std::string> text = rule.String("action");
  if (!text) {
    rule.Fault("action", "missing");
  } else if (*text == "Allow") {
    return model::RuleAction::kAllow;
  } else if (*text == "Deny") {
    return model::RuleAction::kDeny;
  } else if (*text == "Log") {
    return model::RuleAction::kLog;
  } else if (*text != "Pass") {
    rule.Fault("action", fmt::format("'{}' is none of Allow, Deny, Log and Pass", *text));
  } else if (owner.is_profile) {
    rule.Fault("action", "Pass has no meaning in a profile");
  } else {
    return model::RuleAction::kPass;
  }
  return std::nullopt;
}

std::optional<model::IpFamily> ReadIpVersion(ObjectReader& rule) {
  const std::optional<std::int64_t> version = rule.Integer("ipVersion", 4, 6);
  if (!version) return std::nullopt;
  if (*version == 5) {
    rule.Fault("ipVersion", "is neither 4 nor 6");
    return std::nullopt;
  }
  return *version == 4 ? model::IpFamily::kV4 : model::IpFamily::kV6;
}

std::optional<model::IcmpMatch> ReadIcmp(ObjectReader& rule, std::string_view name) {
  const std::optional<Field> field = rule.Find(name);
  if (!field) return std::nullopt;
  ObjectReader icmp(*field, rule.faults());
  // Type 255 is the kernel's word for any type.
  const std::optional<std::int64_t> type = icmp.Integer("type", 0, 254);
  const std::optional<std::int64_t> code = icmp.Integer("code", 0, 255);
  icmp.RefuseNulls();
  icmp.RefuseUnknown();
  if (!type) {
    icmp.Fault("type", code ? "missing beside a code" : "missing");
    return std::nullopt;
  }
  model::IcmpMatch match{static_cast<std::uint8_t>(*type), std::nullopt};
  if (code) match.code = static_cast<std::uint8_t>(*code);
  return match;
}

void CheckIcmp(ObjectReader& rule, const model::PolicyRule& read) {
  const bool is_icmp = read.protocol == model::kIcmp || read.protocol == model::kIcmpV6;
  if (read.icmp && read.protocol && !is_icmp) {
    rule.Fault("icmp", fmt::format("does not go with protocol {}", read.protocol->ToString()));
  }
  // Without a protocol the negation holds for every packet that is not ICMP, which no single
  // kernel rule says.
  if (read.not_icmp && !is_icmp) rule.Fault("notICMP", "needs protocol ICMP or ICMPv6");
}

// All addresses of one rule, its version of IP and its protocol must be able to meet in a packet.
void CheckFamilies(ObjectReader& rule, const model::PolicyRule& read,
                   const std::optional<ReadProtocol>& protocol,
                   const std::vector<EntityNet>& nets) {
  std::optional<model::IpFamily> family = read.ip_version;
  if (protocol && protocol->implied_family) {
    if (family && family != protocol->implied_family) {
      rule.Fault("protocol", fmt::format("{} does not go with ipVersion {}",
                                         protocol->protocol.ToString(), static_cast<int>(*family)));
    }
    family = protocol->implied_family;
  }
  for (const EntityNet& net : nets) {
    if (!family) family = net.cidr.family();
    if (net.cidr.family() == *family) continue;
    rule.faults().Add(
        *net.field.node, net.field.path,
        fmt::format("{} in a rule for IPv{}", net.cidr.ToString(), static_cast<int>(*family)));
  }
}

// What this engine cannot enforce would widen the rule if it were left out.
void RefuseUnenforceable(ObjectReader& rule) {
  if (rule.Find("http")) rule.Fault("http", "matches on HTTP cannot be enforced");
}

model::PolicyRule ReadRule(const Field& field, const RuleOwner& owner, Faults& faults) {
  ObjectReader rule(field, faults);
  if (field.node->IsNull()) faults.Add(*field.node, field.path, "is null");
  model::PolicyRule read;
  if (const auto action = ReadAction(rule, owner)) read.action = *action;
  read.ip_version = ReadIpVersion(rule);
  const std::optional<ReadProtocol> protocol = ParseProtocol(rule, "protocol");
  if (protocol) read.protocol = protocol->protocol;
  if (const auto negated = ParseProtocol(rule, "notProtocol")) {
    read.not_protocol = negated->protocol;
  }
  read.icmp = ReadIcmp(rule, "icmp");
  read.not_icmp = ReadIcmp(rule, "notICMP");

  std::vector<EntityNet> nets;
  const EntityContext context{owner.namespace_name, read.protocol};
  read.source = ReadEntity(rule, "source", context, nets);
  read.destination = ReadEntity(rule, "destination", context, nets);

  CheckIcmp(rule, read);
  CheckFamilies(rule, read, protocol, nets);
  RefuseUnenforceable(rule);
  if (!read.ip_version && protocol) read.ip_version = protocol->implied_family;
  // Annotations of a rule have no effect on traffic.
  static_cast<void>(rule.Find("metadata"));
  rule.RefuseNulls();
  rule.RefuseUnknown();
  return read;
}

}  // namespace

std::vector<model::PolicyRule> ReadRules(ObjectReader& spec, std::string_view name,
                                         const RuleOwner& owner) {
  std::vector<model::PolicyRule> rules;
  for (const Field& field : spec.List(name)) {
    rules.push_back(ReadRule(field, owner, spec.faults()));
  }
  return rules;
}

}  // namespace felix::datastore
