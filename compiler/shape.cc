// SPDX-License-Identifier: Apache-2.0
#include "compiler/shape.h"

#include <string_view>

#include "compiler/fault.h"

namespace felix::compiler {

namespace {

std::string_view Word(ShapeKind kind) {
  switch (kind) {
    case ShapeKind::kWorkload:
    case ShapeKind::kSharedWorkload:
      return "";
    case ShapeKind::kHost:
      return "host ";
    case ShapeKind::kHostTranslated:
      return "translated ";
    case ShapeKind::kForward:
    case ShapeKind::kWorkloadForward:
      return "forward ";
    case ShapeKind::kUntracked:
      return "untracked ";
    case ShapeKind::kPreDnat:
      return "pre-dnat ";
  }
  return "";
}

}  // namespace

ir::Table TableOf(ShapeKind kind) {
  if (kind == ShapeKind::kUntracked) return ir::Table::kRaw;
  const bool mangle = kind == ShapeKind::kHostTranslated || kind == ShapeKind::kPreDnat ||
                      kind == ShapeKind::kSharedWorkload || kind == ShapeKind::kWorkloadForward;
  return mangle ? ir::Table::kMangle : ir::Table::kFilter;
}

bool IsOfWorkload(ShapeKind kind) {
  return kind == ShapeKind::kWorkload || kind == ShapeKind::kSharedWorkload;
}

bool IsOfForwarding(ShapeKind kind) {
  return kind == ShapeKind::kForward || kind == ShapeKind::kWorkloadForward;
}

PolicyLayer LayerOf(ShapeKind kind) {
  switch (kind) {
    case ShapeKind::kWorkload:
    case ShapeKind::kSharedWorkload:
    case ShapeKind::kHost:
    case ShapeKind::kHostTranslated:
      break;
    case ShapeKind::kForward:
    case ShapeKind::kWorkloadForward:
      return PolicyLayer::kForward;
    case ShapeKind::kUntracked:
      return PolicyLayer::kUntracked;
    case ShapeKind::kPreDnat:
      return PolicyLayer::kPreDnat;
  }
  return PolicyLayer::kNormal;
}

bool HasProfiles(ShapeKind kind) {
  return LayerOf(kind) == PolicyLayer::kNormal ||
         (IsOfForwarding(kind) && IsPlanted(Fault::kForwardAsksProfiles));
}

std::string Shape::ToString() const {
  // Names cannot hold a newline, so lines keep the parts apart.
  std::string text(Word(kind));
  text += direction == Direction::kIngress ? "ingress\n" : "egress\n";
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
