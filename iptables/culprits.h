// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/status/status.h"

#include "iptables/encoded_rule.h"
#include "iptables/kernel_table.h"
#include "iptables/planner.h"

namespace felix::iptables {

// How one attempt to write went. `refused`: because of what was to be written.
struct Attempt {
  absl::Status status;
  bool refused = false;
};

struct Culprit {
  std::string chain;
  absl::Status reason;  // of the smallest attempt that failed because of the chain
};

// Finds the chains for which the kernel refuses a table, by halving. `write` brings about the
// desired state with the new content of `opened` and the closed form of `closed`; all other
// candidates are held back. What is found innocent gets written on the way. One culprit among n
// candidates takes at most ceil(log2 n) + 1 attempts beyond the one that failed.
class CulpritSearch {
 public:
  using Names = std::vector<std::string>;
  using Write = std::function<Attempt(const Names& opened, const std::vector<Culprit>& closed)>;

  // One search finds that many; a kernel that refuses everything is not to be asked for ever.
  static constexpr std::size_t kMaxCulprits = 32;

  // `first` is how the attempt with all candidates failed. OK if in the end all but the culprits
  // was written. Otherwise the last attempt's error; culprits() is empty if the candidates are not
  // to blame.
  absl::Status Run(Names candidates, Attempt first, const Write& write);
  [[nodiscard]] const std::vector<Culprit>& culprits() const { return culprits_; }

 private:
  // `pending` was refused: finds one culprit in it and leaves there what is still unknown.
  absl::Status FindOne(Names& pending, absl::Status reason, const Write& write);
  Attempt Try(const Names& more, const Write& write);

  Names innocent_;
  std::vector<Culprit> culprits_;
};

// Chains of ours that differ from `actual` and may be closed; closed ones are not among them.
[[nodiscard]] CulpritSearch::Names Suspects(
    const TableContent& actual, const DesiredTable& desired,
    const std::function<bool(const std::string& chain)>& may_be_closed);

// `desired`, but with the chains of `held_back` as they are in `actual`, and closed by `drop` if
// they are not there; what they go to stays too.
[[nodiscard]] DesiredTable HoldBack(const TableContent& actual, DesiredTable desired,
                                    const absl::btree_set<std::string>& held_back,
                                    const EncodedRule& drop);

}  // namespace felix::iptables
