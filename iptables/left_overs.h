// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "iptables/encoded_rule.h"
#include "model/address.h"

namespace felix::iptables {

// The set that masquerade rules of old versions name.
inline constexpr std::string_view kOldMasqueradeSet = "felix-masq-ipam-pools";

// True for the two rules that old versions put into POSTROUTING of table nat without a tag: the one
// that names kOldMasqueradeSet, whose number is `old_set` if there is such a set, and the one for
// packets that leave by tunl0 with an address of another interface.
[[nodiscard]] bool IsOldMasquerade(const EncodedRule& rule, model::IpFamily family,
                                   std::optional<std::uint16_t> old_set);

}  // namespace felix::iptables
