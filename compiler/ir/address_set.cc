// SPDX-License-Identifier: Apache-2.0
#include "compiler/ir/address_set.h"

#include "fmt/format.h"

namespace felix::ir {

std::string SetMember::ToString() const {
  const std::string text = net.IsHost() ? net.address().ToString() : net.ToString();
  if (protocol == model::Protocol{}) return text;
  return fmt::format("{},{}:{}", text, protocol.ToString(), port);
}

}  // namespace felix::ir
