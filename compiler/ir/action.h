// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <variant>

namespace felix::ir {

struct Accept {
  bool operator==(const Accept&) const = default;
};
struct Drop {
  bool operator==(const Drop&) const = default;
};
// Refuses with ICMP port-unreachable (the back end's default). Filter table only.
struct Reject {
  bool operator==(const Reject&) const = default;
};
// Back to the rule after the last Jump.
struct Return {
  bool operator==(const Return&) const = default;
};
struct Jump {
  std::string chain;
  bool operator==(const Jump&) const = default;
};
// Like Jump, but the end of the chain (or a Return in it) goes back to where the *current* chain
// would have gone back.
struct Goto {
  std::string chain;
  bool operator==(const Goto&) const = default;
};
// mark = (mark & ~mask) | value; evaluation goes on with the next rule.
struct SetMark {
  std::uint32_t value = 0;
  std::uint32_t mask = 0;
  bool operator==(const SetMark&) const = default;
};
// Writes a kernel log line; evaluation goes on with the next rule. The prefix holds at most 29
// bytes, none of them a control character.
struct Log {
  std::string prefix;
  std::uint8_t level = 5;  // syslog severity
  bool operator==(const Log&) const = default;
};

using Action = std::variant<Accept, Drop, Reject, Return, Jump, Goto, SetMark, Log>;

}  // namespace felix::ir
