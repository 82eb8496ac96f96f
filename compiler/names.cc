// SPDX-License-Identifier: Apache-2.0
#include "compiler/names.h"

#include "fmt/format.h"

#include "model/base/check.h"
#include "model/base/hash.h"

namespace felix::compiler {

std::string LimitedName(std::string_view prefix, std::string_view suffix, std::size_t max_length) {
  if (suffix.empty()) suffix = "_";
  const std::size_t length = prefix.size() + suffix.size();
  // A verbatim name of full length that begins like a hashed one could be mistaken for it.
  const bool looks_hashed = length == max_length && suffix.front() == '_';
  if (length <= max_length && !looks_hashed) {
    return std::string(prefix).append(suffix);
  }
  FELIX_CHECK(prefix.size() + 1 < max_length, "a chain name prefix leaves no room for a hash");
  const std::string hash = Sha256Base64Url(suffix);
  return std::string(prefix).append("_").append(hash, 0, max_length - 1 - prefix.size());
}

std::string PolicyChainName(const model::PolicyId& id, Direction direction) {
  return LimitedName(direction == Direction::kIngress ? "cali-pi-" : "cali-po-", id.ToString());
}

std::string ProfileChainName(std::string_view profile, Direction direction) {
  return LimitedName(direction == Direction::kIngress ? "cali-pri-" : "cali-pro-", profile);
}

std::string EndpointChainName(std::string_view interface_name, Direction direction) {
  return LimitedName(direction == Direction::kIngress ? "cali-tw-" : "cali-fw-", interface_name);
}

std::string ShapeChainName(std::string_view shape_text, Direction direction) {
  std::string name(direction == Direction::kIngress ? "cali-si-" : "cali-se-");
  return name.append(Sha256Base64Url(shape_text), 0, kMaxChainName - name.size());
}

std::string DispatchChainName(Direction direction) {
  return direction == Direction::kIngress ? "cali-to-wl-dispatch" : "cali-from-wl-dispatch";
}

std::string ElementChainName(Direction direction) {
  return direction == Direction::kIngress ? "cali-to-wl" : "cali-from-wl";
}

std::string ShapeTreeName(Direction direction) {
  return direction == Direction::kIngress ? "cali-to-shape" : "cali-from-shape";
}

std::string ShapeTreeName(Direction direction, int level, std::uint32_t first) {
  return fmt::format("{}-{}-{:x}", ShapeTreeName(direction), level, first);
}

std::string ElementMapId(Direction direction) {
  return direction == Direction::kIngress ? "e:to" : "e:from";
}

std::string HostChainName(std::string_view interface_name, Direction direction) {
  return LimitedName(direction == Direction::kIngress ? "cali-fh-" : "cali-th-", interface_name);
}

std::string HostForwardChainName(std::string_view interface_name, Direction direction) {
  return LimitedName(direction == Direction::kIngress ? "cali-fhfw-" : "cali-thfw-",
                     interface_name);
}

std::string HostDispatchChainName(Direction direction) {
  return direction == Direction::kIngress ? "cali-from-host-endpoint" : "cali-to-host-endpoint";
}

std::string HostForwardDispatchChainName(Direction direction) {
  return direction == Direction::kIngress ? "cali-from-hep-forward" : "cali-to-hep-forward";
}

std::string FailsafeChainName(Direction direction) {
  return direction == Direction::kIngress ? "cali-failsafe-in" : "cali-failsafe-out";
}

}  // namespace felix::compiler
