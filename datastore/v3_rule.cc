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

// What this engine cannot enforce would widen the rule if it were left out.
void RefuseUnenforceable(ObjectReader& rule) {
  if (rule.Find("http")) rule.Fault("http", "matches on HTTP cannot be enforced");
}

model::PolicyRule ReadRule(const Field& field, const RuleOwner& owner, Faults& faults) {
  ObjectReader rule(field, faults);
  if (field.node->IsNull()) faults.Add(*field.node, field.path, "is null");
  model::PolicyRule read;
  if (const auto action = ReadAction(rule, owner)) read.action = *action;
  read.ip_version = ReadIpVersion(rule, "ipVersion");
  const std::optional<RuleProtocol> protocol = ReadProtocol(rule, "protocol");
  if (protocol) read.protocol = protocol->protocol;
  if (const auto negated = ReadProtocol(rule, "notProtocol")) {
    read.not_protocol = negated->protocol;
  }
  read.icmp = ReadIcmp(rule, "icmp");
  read.not_icmp = ReadIcmp(rule, "notICMP");

  std::vector<EntityNet> nets;
  const EntityContext context{owner.namespace_name, read.protocol};
  read.source = ReadEntity(rule, "source", context, nets);
  read.destination = ReadEntity(rule, "destination", context, nets);

  CheckIcmp(rule, read, {"icmp", "notICMP"});
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

std::optional<RuleProtocol> ReadProtocol(ObjectReader& rule, std::string_view name) {
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
  RuleProtocol read{*protocol, std::nullopt};
  if (absl::EqualsIgnoreCase(text, "icmp")) read.implied_family = model::IpFamily::kV4;
  if (absl::EqualsIgnoreCase(text, "icmpv6")) read.implied_family = model::IpFamily::kV6;
  return read;
}

std::optional<model::IpFamily> ReadIpVersion(ObjectReader& rule, std::string_view name) {
  const std::optional<std::int64_t> version = rule.Integer(name, 4, 6);
  if (!version) return std::nullopt;
  if (*version == 5) {
    rule.Fault(name, "is neither 4 nor 6");
    return std::nullopt;
  }
  return *version == 4 ? model::IpFamily::kV4 : model::IpFamily::kV6;
}

void CheckIcmp(ObjectReader& rule, const model::PolicyRule& read, const IcmpFieldNames& names) {
  const bool is_icmp = read.protocol == model::kIcmp || read.protocol == model::kIcmpV6;
  if (read.icmp && read.protocol && !is_icmp) {
    rule.Fault(names.icmp, fmt::format("does not go with protocol {}", read.protocol->ToString()));
  }
  // Without a protocol the negation holds for every packet that is not ICMP, which no single
  // kernel rule says.
  if (read.not_icmp && !is_icmp) rule.Fault(names.not_icmp, "needs protocol ICMP or ICMPv6");
}

void CheckFamilies(ObjectReader& rule, const model::PolicyRule& read,
                   const std::optional<RuleProtocol>& protocol,
                   const std::vector<EntityNet>& nets) {
  std::optional<model::IpFamily> family = read.ip_version;
  if (protocol && protocol->implied_family) {
    if (family && family != protocol->implied_family) {
      rule.Fault("protocol", fmt::format("{} does not go with IP version {}",
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

std::vector<model::PolicyRule> ReadRules(ObjectReader& spec, std::string_view name,
                                         const RuleOwner& owner) {
  std::vector<model::PolicyRule> rules;
  for (const Field& field : spec.List(name)) {
    rules.push_back(ReadRule(field, owner, spec.faults()));
  }
  return rules;
}

}  // namespace felix::datastore
