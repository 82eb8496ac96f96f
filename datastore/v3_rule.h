// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "datastore/object_reader.h"
#include "datastore/v3_entity.h"
#include "model/rule.h"

namespace felix::datastore {

// Whose rules are read: a namespaced policy's rules see its own namespace only.
struct RuleOwner {
  std::string namespace_name;  // empty for global policies and profiles
  bool is_profile = false;     // profiles have no tiers to pass on to
};

// Reads a list of v3 rules into their final meaning. A rule that cannot be read or enforced exactly
// is a fault of the object as a whole and never rendered without the part at fault: that includes
// fields that are not known or null, since each field of a rule is a condition. What is returned is
// of use only if no fault was added.
[[nodiscard]] std::vector<model::PolicyRule> ReadRules(ObjectReader& spec, std::string_view name,
                                                       const RuleOwner& owner);

// What the rules of the older objects share with these. Each field by the name it has there.

struct RuleProtocol {
  model::Protocol protocol;
  // Only the names of the two ICMP protocols imply a version of IP; their numbers do not.
  std::optional<model::IpFamily> implied_family;
};
// A name or a number. Absent, or a fault.
[[nodiscard]] std::optional<RuleProtocol> ReadProtocol(ObjectReader& rule, std::string_view name);
[[nodiscard]] std::optional<model::IpFamily> ReadIpVersion(ObjectReader& rule,
                                                           std::string_view name);
struct IcmpFieldNames {
  std::string_view icmp;
  std::string_view not_icmp;
};
// Matches on ICMP must go with the rule's protocol.
void CheckIcmp(ObjectReader& rule, const model::PolicyRule& read, const IcmpFieldNames& names);
// All addresses of one rule, its version of IP and its protocol must be able to meet in a packet.
void CheckFamilies(ObjectReader& rule, const model::PolicyRule& read,
                   const std::optional<RuleProtocol>& protocol, const std::vector<EntityNet>& nets);

}  // namespace felix::datastore
