// SPDX-License-Identifier: Apache-2.0
#include "datastore/v1_rule.h"

#include <optional>
#include <string>

#include "fmt/format.h"

#include "datastore/v1_key.h"
#include "datastore/v3_entity.h"
#include "datastore/v3_selector.h"
#include "model/base/strings.h"

namespace felix::datastore {
namespace {

// What the fields of one side are called.
struct SideNames {
  std::string_view net;
  std::string_view nets;
  std::string_view tag;
  std::string_view selector;
  std::string_view ports;
  std::string_view not_net;
  std::string_view not_nets;
  std::string_view not_tag;
  std::string_view not_selector;
  std::string_view not_ports;
};
constexpr SideNames kSource = {"src_net",  "src_nets",  "src_tag",  "src_selector",  "src_ports",
                               "!src_net", "!src_nets", "!src_tag", "!src_selector", "!src_ports"};
constexpr SideNames kDestination = {"dst_net",       "dst_nets",  "dst_tag",   "dst_selector",
                                    "dst_ports",     "!dst_net",  "!dst_nets", "!dst_tag",
                                    "!dst_selector", "!dst_ports"};

std::optional<model::RuleAction> ReadAction(ObjectReader& rule, const RuleOwner& owner) {
  const std::string text = rule.StringOrEmpty("action");
  if (text.empty() || text == "allow") return model::RuleAction::kAllow;
  if (text == "deny") return model::RuleAction::kDeny;
  if (text == "log") return model::RuleAction::kLog;
  if (text != "next-tier") {
    rule.Fault("action", fmt::format("'{}' is none of allow, deny, log and next-tier", text));
  } else if (owner.is_profile) {
    rule.Fault("action", "next-tier has no meaning in a profile");
  } else {
    return model::RuleAction::kPass;
  }
  return std::nullopt;
}

std::optional<model::IcmpMatch> ReadIcmp(ObjectReader& rule, std::string_view type_name,
                                         std::string_view code_name) {
  // Type 255 is the kernel's word for any type.
  const std::size_t before = rule.faults().count();
  const std::optional<std::int64_t> type = rule.Integer(type_name, 0, 254);
  const std::optional<std::int64_t> code = rule.Integer(code_name, 0, 255);
  if (!type) {
    if (code && rule.faults().count() == before) {
      rule.Fault(code_name, fmt::format("needs {}", type_name));
    }
    return std::nullopt;
  }
  model::IcmpMatch match{static_cast<std::uint8_t>(*type), std::nullopt};
  if (code) match.code = static_cast<std::uint8_t>(*code);
  return match;
}

// The single network and the list of them are one list.
std::vector<Field> NetFields(ObjectReader& rule, std::string_view single, std::string_view list) {
  std::vector<Field> fields;
  if (std::optional<Field> field = rule.Find(single)) fields.push_back(*std::move(field));
  for (Field& field : rule.List(list)) fields.push_back(std::move(field));
  return fields;
}

// The label that stands for a tag; empty if none is asked for.
std::string ReadTag(ObjectReader& rule, std::string_view name) {
  const std::optional<std::string> tag = rule.String(name);
  if (!tag) return {};
  if (const auto problem = CheckV1Name("tag", *tag)) {
    rule.Fault(name, *problem);
    return {};
  }
  return fmt::format("has({})", *tag);
}

std::optional<model::Selector> ParseComposed(ObjectReader& rule, std::string_view name,
                                             const std::string& text) {
  absl::StatusOr<model::Selector> selector = model::Selector::Parse(text);
  if (selector.ok()) return *std::move(selector);
  rule.Fault(name, fmt::format("selector does not parse once combined: {}",
                               ToStd(selector.status().message())));
  return std::nullopt;
}

std::string Join(const std::string& selector, std::string_view operation, const std::string& tag) {
  if (tag.empty()) return selector;
  return selector.empty() ? tag : fmt::format("({}) {} {}", selector, operation, tag);
}

void ReadSelectors(ObjectReader& rule, const SideNames& names, model::EntityMatch& match) {
  const std::size_t before = rule.faults().count();
  const std::string selector = ReadSelector(rule, names.selector, GlobalTerm::kAllowed);
  const std::string tag = ReadTag(rule, names.tag);
  const std::string not_selector = ReadSelector(rule, names.not_selector, GlobalTerm::kAllowed);
  const std::string not_tag = ReadTag(rule, names.not_tag);
  if (rule.faults().count() != before) return;

  const std::string positive = Join(selector, "&&", tag);
  const std::string negative = Join(not_selector, "||", not_tag);
  const std::string_view positive_name = selector.empty() ? names.tag : names.selector;
  const std::string_view negative_name = not_selector.empty() ? names.not_tag : names.not_selector;
  if (positive.empty()) {
    if (!negative.empty()) match.not_selector = ParseComposed(rule, negative_name, negative);
  } else if (negative.empty()) {
    match.selector = ParseComposed(rule, positive_name, positive);
  } else {
    match.selector =
        ParseComposed(rule, positive_name, fmt::format("({}) && (!({}))", positive, negative));
  }
}

model::EntityMatch ReadSide(ObjectReader& rule, const SideNames& names,
                            const std::optional<model::Protocol>& protocol,
                            std::vector<EntityNet>& nets) {
  model::EntityMatch match;
  match.nets = ReadNets(NetFields(rule, names.net, names.nets), rule.faults(), nets);
  match.not_nets = ReadNotNets(NetFields(rule, names.not_net, names.not_nets), rule.faults(), nets);
  ReadSelectors(rule, names, match);
  match.ports = ReadPorts(rule, names.ports, protocol);
  match.not_ports = ReadPorts(rule, names.not_ports, protocol);
  return match;
}

model::PolicyRule ReadRule(const Field& field, const RuleOwner& owner, Faults& faults) {
  ObjectReader rule(field, faults);
  if (field.node->IsNull()) faults.Add(*field.node, field.path, "is null");
  model::PolicyRule read;
  if (const auto action = ReadAction(rule, owner)) read.action = *action;
  read.ip_version = ReadIpVersion(rule, "ip_version");
  const std::optional<RuleProtocol> protocol = ReadProtocol(rule, "protocol");
  if (protocol) read.protocol = protocol->protocol;
  if (const auto negated = ReadProtocol(rule, "!protocol")) read.not_protocol = negated->protocol;
  read.icmp = ReadIcmp(rule, "icmp_type", "icmp_code");
  read.not_icmp = ReadIcmp(rule, "!icmp_type", "!icmp_code");

  std::vector<EntityNet> nets;
  read.source = ReadSide(rule, kSource, read.protocol, nets);
  read.destination = ReadSide(rule, kDestination, read.protocol, nets);
  CheckIcmp(rule, read, {"icmp_type", "!icmp_type"});
  CheckFamilies(rule, read, protocol, nets);
  if (!read.ip_version && protocol) read.ip_version = protocol->implied_family;
  static_cast<void>(rule.String("log_prefix"));
  rule.RefuseUnknown();
  return read;
}

}  // namespace

std::vector<model::PolicyRule> ReadV1Rules(ObjectReader& object, std::string_view name,
                                           const RuleOwner& owner) {
  std::vector<model::PolicyRule> rules;
  for (const Field& field : object.List(name)) {
    rules.push_back(ReadRule(field, owner, object.faults()));
  }
  return rules;
}

}  // namespace felix::datastore
