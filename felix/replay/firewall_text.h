// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"

#include "felix/replay/render.h"

namespace felix::replay {

// Our part of a firewall as its texts tell it, whether we rendered them or iptables-save and ipset
// save printed them. Rules are in one spelling: options of the header first, what is a default left
// out, protocols by number. Of chains of others only the rules that go to ours are ours.
struct FirewallText {
  struct Chain {
    std::string family;  // "ipv4"
    std::string table;
    std::string name;
    friend auto operator<=>(const Chain&, const Chain&) = default;
  };
  struct Set {
    std::string type;  // "hash:net inet"
    std::set<std::string> members;
    bool operator==(const Set&) const = default;
  };
  std::map<Chain, std::vector<std::string>> chains;
  std::map<std::string, Set> sets;

  // What iptables-save or we wrote. Errors: a line is of no form that they write.
  absl::Status AddRules(std::string_view family, std::string_view text);
  // What ipset save or we wrote.
  absl::Status AddSets(std::string_view text);
  static absl::StatusOr<FirewallText> Of(const RestoreFiles& files);
};

}  // namespace felix::replay
