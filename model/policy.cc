// SPDX-License-Identifier: Apache-2.0
#include "model/policy.h"

#include "fmt/format.h"

#include "model/base/check.h"

namespace felix::model {
namespace {

struct KindNames {
  std::string_view full;
  std::string_view brief;
};

KindNames NamesOf(PolicyKind kind) {
  switch (kind) {
    case PolicyKind::kNetworkPolicy:
      return {"NetworkPolicy", "np"};
    case PolicyKind::kGlobalNetworkPolicy:
      return {"GlobalNetworkPolicy", "gnp"};
    case PolicyKind::kStagedNetworkPolicy:
      return {"StagedNetworkPolicy", "snp"};
    case PolicyKind::kStagedGlobalNetworkPolicy:
      return {"StagedGlobalNetworkPolicy", "sgnp"};
    case PolicyKind::kStagedKubernetesNetworkPolicy:
      return {"StagedKubernetesNetworkPolicy", "sknp"};
  }
  FELIX_CHECK(false, "no such kind of policy");
  return {};
}

}  // namespace

std::string_view KindName(PolicyKind kind) {
  return NamesOf(kind).full;
}

std::string_view ShortKindName(PolicyKind kind) {
  return NamesOf(kind).brief;
}

bool IsStaged(PolicyKind kind) {
  return kind != PolicyKind::kNetworkPolicy && kind != PolicyKind::kGlobalNetworkPolicy;
}

std::string PolicyId::ToString() const {
  return namespace_name.empty()
             ? fmt::format("{}/{}", ShortKindName(kind), name)
             : fmt::format("{}/{}/{}", ShortKindName(kind), namespace_name, name);
}

}  // namespace felix::model
