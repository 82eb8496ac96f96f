// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"

#include "compiler/ir/desired_state.h"
#include "compiler/rule_renderer.h"
#include "model/address.h"

namespace felix::compiler {

// What is to be translated in one family, all conflicts settled.
struct Translations {
  absl::btree_set<model::Cidr> pools;         // destinations inside are not translated
  absl::btree_set<model::Cidr> masquerading;  // sources inside are
  absl::btree_set<model::Cidr> hosts;         // of the cluster
  absl::btree_map<model::IpAddress, model::IpAddress> internal_of;  // by floating IP
  absl::btree_map<model::IpAddress, model::IpAddress> external_of;  // by workload address
};

inline constexpr std::string_view kMasqueradingPoolsSet = "masq-ipam-pools";
inline constexpr std::string_view kPoolsSet = "network-ip-pools";
inline constexpr std::string_view kHostsSet = "all-hosts-net";

// Adds the nat table's chains and hooks of the context's family, and the sets they name, to
// `state`. Connection tracking looks into the nat table once per connection; where there is nothing
// to translate there is no rule at all, and not even that is done on our account.
void RenderTranslations(const Translations& translations, const RenderContext& context,
                        ir::DesiredState& state);

}  // namespace felix::compiler
