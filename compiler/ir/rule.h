// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/ir/action.h"
#include "compiler/ir/match.h"

namespace felix::ir {

// Ingress is traffic to the endpoint, egress traffic from it.
enum class Direction : std::uint8_t { kIngress, kEgress };

// Where a rule came from: the policy or profile (`gnp/x`, `profile/y`), and which rule of which of
// its two lists; or a word for what the rule is there for. It explains, it does not filter: back
// ends do not write it to the kernel.
struct Provenance {
  std::string owner;
  std::optional<Direction> direction = {};  // absent: the owner has no lists
  int rule_index = -1;                      // -1: the rule stems from the owner as a whole
  bool operator==(const Provenance&) const = default;
};

struct Rule {
  std::vector<Match> matches;  // evaluated in this order, cheap ones first
  Action action;
  Provenance provenance;

  // Names what the rule is there for.
  Rule Because(std::string reason) && {
    provenance.owner = std::move(reason);
    return std::move(*this);
  }
  bool operator==(const Rule&) const = default;
};

// Rules read as they are spoken: When(FromInterface("cali1")).Then(Drop{}).
class When {
 public:
  template <typename... Matches>
  explicit When(Matches... matches) : matches_{Match(std::move(matches))...} {}
  [[nodiscard]] Rule Then(Action action) && {
    return Rule{.matches = std::move(matches_), .action = std::move(action), .provenance = {}};
  }

 private:
  std::vector<Match> matches_;
};

struct Chain {
  std::vector<Rule> rules;
  bool operator==(const Chain&) const = default;
};

}  // namespace felix::ir
