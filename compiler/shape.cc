// SPDX-License-Identifier: Apache-2.0
#include "compiler/shape.h"

namespace felix::compiler {

std::string Shape::ToString() const {
  // Names cannot hold a newline, so lines keep the parts apart.
  std::string text = direction == Direction::kIngress ? "ingress\n" : "egress\n";
  for (const TierInForce& tier : tiers) {
    text += "tier ";
    text += tier.default_action == model::TierDefaultAction::kPass ? "pass " : "deny ";
    text += tier.name + "\n";
    for (const model::PolicyId& policy : tier.policies)
      text += "policy " + policy.ToString() + "\n";
  }
  for (const std::string& profile : profiles) text += "profile " + profile + "\n";
  return text;
}

}  // namespace felix::compiler
