// SPDX-License-Identifier: Apache-2.0
#include "datastore/v3_entity.h"

#include "fmt/format.h"

#include "datastore/names.h"
#include "datastore/v3_selector.h"
#include "model/base/strings.h"

namespace felix::datastore {
namespace {

bool LooksNumeric(std::string_view text) {
  return text.find_first_not_of("0123456789:") == std::string_view::npos;
}

// One element of ports or notPorts; whether it is numeric.
bool ReadPort(const Field& field, model::PortMatch& ports, Faults& faults) {
  std::string text;
  if (field.node->kind() == DocumentNode::Kind::kInteger) {
    text = fmt::format("{}", field.node->integer());
  } else if (auto string = ReadString(field, faults)) {
    text = *std::move(string);
  } else {
    return false;
  }
  if (field.node->kind() == DocumentNode::Kind::kString && !LooksNumeric(text)) {
    if (model::IsValidPortName(text)) {
      ports.names.push_back(std::move(text));
    } else {
      faults.Add(*field.node, field.path,
                 fmt::format("'{}' is neither a port, a range of ports nor a port's name", text));
    }
    return false;
  }
  const absl::StatusOr<model::PortRange> range = model::PortRange::Parse(text);
  if (range.ok()) {
    ports.ranges.push_back(*range);
  } else {
    faults.Add(*field.node, field.path,
               fmt::format("'{}' is neither a port in 1..65535 nor a range of them", text));
  }
  return true;
}

void ReadServiceAccounts(ObjectReader& entity, EntitySelectorParts& parts, GlobalTerm global) {
  const std::optional<Field> field = entity.Find("serviceAccounts");
  if (!field) return;
  ObjectReader accounts(*field, entity.faults());
  for (const Field& name : accounts.List("names")) {
    std::optional<std::string> text = ReadString(name, entity.faults());
    if (!text) continue;
    if (const auto problem = CheckResourceName(*text)) {
      entity.faults().Add(*name.node, name.path, *problem);
      continue;
    }
    parts.service_account_names.push_back(*std::move(text));
  }
  parts.service_account_selector = ReadSelector(accounts, "selector", global);
  accounts.RefuseNulls();
  accounts.RefuseUnknown();
}

std::optional<model::Selector> ParseComposed(ObjectReader& entity, std::string_view name,
                                             const std::string& text) {
  if (text.empty()) return std::nullopt;
  absl::StatusOr<model::Selector> selector = model::Selector::Parse(text);
  if (selector.ok()) return *std::move(selector);
  entity.Fault(name, fmt::format("selector does not parse once combined: {}",
                                 ToStd(selector.status().message())));
  return std::nullopt;
}

void ReadSelectors(ObjectReader& entity, const EntityContext& context, model::EntityMatch& match) {
  const std::size_t faults_before = entity.faults().count();
  const bool namespaced = !context.namespace_name.empty();
  const GlobalTerm global = namespaced ? GlobalTerm::kRefused : GlobalTerm::kAllowed;
  EntitySelectorParts parts;
  parts.namespace_name = context.namespace_name;
  parts.selector = ReadSelector(entity, "selector", global);
  parts.not_selector = ReadSelector(entity, "notSelector", global);
  parts.namespace_selector = ReadSelector(entity, "namespaceSelector",
                                          namespaced ? GlobalTerm::kAlone : GlobalTerm::kAllowed);
  ReadServiceAccounts(entity, parts, global);
  if (entity.faults().count() != faults_before) return;

  const std::string positive = ComposeEntitySelector(parts);
  if (positive.empty()) {
    match.not_selector = ParseComposed(entity, "notSelector", parts.not_selector);
  } else if (parts.not_selector.empty()) {
    match.selector = ParseComposed(entity, "selector", positive);
  } else {
    match.selector = ParseComposed(entity, "selector",
                                   fmt::format("({}) && (!({}))", positive, parts.not_selector));
  }
}

}  // namespace

std::vector<model::Cidr> ReadNets(const std::vector<Field>& fields, Faults& faults,
                                  std::vector<EntityNet>& nets) {
  std::vector<model::Cidr> cidrs;
  for (const Field& field : fields) {
    const std::optional<std::string> text = ReadString(field, faults);
    if (!text) continue;
    const absl::StatusOr<model::Cidr> cidr = model::Cidr::Parse(*text);
    if (!cidr.ok()) {
      faults.Add(*field.node, field.path,
                 fmt::format("'{}' is not an address or a network", *text));
      continue;
    }
    nets.push_back({*cidr, field});
    cidrs.push_back(*cidr);
  }
  return cidrs;
}

std::vector<model::Cidr> ReadNotNets(const std::vector<Field>& fields, Faults& faults,
                                     std::vector<EntityNet>& nets) {
  const std::size_t before = nets.size();
  std::vector<model::Cidr> cidrs = ReadNets(fields, faults, nets);
  for (std::size_t i = before; i < nets.size(); ++i) {
    if (nets[i].cidr.prefix_length() != 0) continue;
    faults.Add(*nets[i].field.node, nets[i].field.path,
               fmt::format("{} leaves nothing to match", nets[i].cidr.ToString()));
  }
  return cidrs;
}

model::PortMatch ReadPorts(ObjectReader& entity, std::string_view name,
                           const std::optional<model::Protocol>& protocol) {
  model::PortMatch ports;
  for (const Field& field : entity.List(name)) {
    const bool numeric = ReadPort(field, ports, entity.faults());
    if (protocol ? !protocol->HasPorts() : numeric) {
      entity.faults().Add(*field.node, field.path, "ports need protocol TCP, UDP or SCTP");
    }
  }
  return ports;
}

model::EntityMatch ReadEntity(ObjectReader& rule, std::string_view name,
                              const EntityContext& context, std::vector<EntityNet>& nets) {
  const std::optional<Field> field = rule.Find(name);
  if (!field) return {};
  ObjectReader entity(*field, rule.faults());
  model::EntityMatch match;
  match.nets = ReadNets(entity.List("nets"), entity.faults(), nets);
  match.not_nets = ReadNotNets(entity.List("notNets"), entity.faults(), nets);
  ReadSelectors(entity, context, match);
  match.ports = ReadPorts(entity, "ports", context.protocol);
  match.not_ports = ReadPorts(entity, "notPorts", context.protocol);
  if (entity.Find("services")) {
    entity.Fault("services", "matches on services cannot be enforced");
  }
  entity.RefuseNulls();
  entity.RefuseUnknown();
  return match;
}

}  // namespace felix::datastore
