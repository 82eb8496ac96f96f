// SPDX-License-Identifier: Apache-2.0
#include "compiler/rule_sets.h"

#include "fmt/format.h"

#include "model/base/hash.h"

namespace felix::compiler {

std::string SelectorSetId(const model::Selector& selector) {
  return selector.id();
}

std::string NamedPortSetId(const model::Selector& selector, model::Protocol port_protocol,
                           std::string_view port_name) {
  const std::string protocol = port_protocol.number == 0 ? "any" : port_protocol.ToString();
  return UniqueId("n", fmt::format("{},{},{}", selector.id(), protocol, port_name));
}

std::string LiteralSetId(const std::vector<model::Cidr>& nets) {
  std::string text;
  for (const model::Cidr& net : nets) text += net.ToString() + "\n";
  return UniqueId("c", text);
}

model::Protocol NamedPortProtocol(const model::PolicyRule& rule) {
  if (!rule.protocol.has_value()) return model::Protocol{};
  return rule.protocol->HasPorts() ? *rule.protocol : model::kTcp;
}

}  // namespace felix::compiler
