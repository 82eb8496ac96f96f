// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"

#include "compiler/ir/address_set.h"
#include "model/rule.h"
#include "model/selector.h"

namespace felix::compiler {

// What a set that a rule names holds. Three sorts: the addresses of everything a selector matches;
// the (address, protocol, port) triples of a named port of what a selector matches; or fixed nets.
struct SetDefinition {
  ir::SetKind kind = ir::SetKind::kNet;
  std::optional<model::Selector> selector;  // absent: `literal` is the content
  std::string port_name;                    // kIpPort only
  model::Protocol port_protocol;            // kIpPort only; 0 means TCP, UDP and SCTP
  std::vector<model::Cidr> literal;         // sorted, unique, one family

  bool operator==(const SetDefinition&) const = default;
};

// Definitions by set id.
using SetDefinitions = absl::btree_map<std::string, SetDefinition>;

// `s:…`: the set of a selector.
[[nodiscard]] std::string SelectorSetId(const model::Selector& selector);
// `n:…`: the set of a port name among what the selector matches. The protocol is the rule's if that
// has ports, any of them if the rule has none; Calico takes TCP for every other.
[[nodiscard]] std::string NamedPortSetId(const model::Selector& selector,
                                         model::Protocol port_protocol, std::string_view port_name);
// `c:…`: the set of just these nets, which must be sorted and unique.
[[nodiscard]] std::string LiteralSetId(const std::vector<model::Cidr>& nets);

// The protocol by which a rule's named ports are looked up; number 0 means any.
[[nodiscard]] model::Protocol NamedPortProtocol(const model::PolicyRule& rule);

}  // namespace felix::compiler
