// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "iptables/kernel_table.h"
#include "iptables/transaction.h"

namespace felix::iptables {

// What others did to a table of ours, told by what it takes to undo it: `repair` is the plan that
// makes `found` as it was. One line per chain, in the order of the plan, such as `chain cali-x was
// deleted`; beyond `most` lines only how many more there are. Pure.
[[nodiscard]] std::vector<std::string> DescribeDrift(const Transaction& repair,
                                                     const TableContent& found,
                                                     std::size_t most = 20);

}  // namespace felix::iptables
