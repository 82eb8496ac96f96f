// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "felix/apply_loop.h"
#include "felix/host_kernel.h"
#include "iptables/table_outline.h"

namespace felix {

// Compares the outlines of all loaded tables with those that were there after our last apply. Costs
// a microsecond or two per table and takes no lock, so it can look every second. What changes
// between the apply and Remember() goes unnoticed until the tables are read anew. Borrows the
// kernel.
class TableTripwire final : public DriftSensor {
 public:
  explicit TableTripwire(HostKernel& kernel) : kernel_(kernel) {}

  void Remember() override;
  std::vector<TableId> Changed() override;

 private:
  HostKernel& kernel_;
  std::map<TableId, iptables::TableOutline> known_;
};

}  // namespace felix
