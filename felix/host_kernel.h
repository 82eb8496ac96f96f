// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/status/statusor.h"

#include "compiler/ir/desired_state.h"
#include "felix/lock_watch.h"
#include "ipset/kernel_sets.h"
#include "iptables/kernel_table.h"
#include "iptables/table_outline.h"
#include "model/address.h"

namespace felix {

// The packet filter of the network namespace we are in, as the data plane needs it: a port, so
// that tests can stand in for the kernel. All of one object is used by one thread.
class HostKernel {
 public:
  virtual ~HostKernel() = default;
  virtual ipset::KernelSets& sets() = 0;
  // The number of a set, by its name in the kernel. Errors: as iptables::SetIndexes::Find.
  virtual absl::StatusOr<std::uint16_t> SetIndex(const std::string& name) = 0;
  // Makes the object only; the kernel is not asked yet.
  virtual std::unique_ptr<iptables::KernelTable> MakeTable(model::IpFamily family,
                                                           ir::Table table) = 0;
  // Tables that somebody has used in this namespace. Reading one that is not among them would make
  // the kernel load it.
  virtual std::vector<ir::Table> PresentTables(model::IpFamily family) = 0;
  // The shape of a table that is present. Errors: as iptables::TableOutlineReader::Read.
  virtual absl::StatusOr<iptables::TableOutline> Outline(model::IpFamily family,
                                                         ir::Table table) = 0;
  // What watches the lock of the tables; null where there is no such lock.
  virtual LockWatch* lock_watch() = 0;
  // Ends the connections of these addresses, in either direction, in the eyes of connection
  // tracking. How many there were.
  virtual absl::StatusOr<std::uint64_t> ForgetFlows(
      model::IpFamily family, const absl::btree_set<model::IpAddress>& addresses) = 0;
};

struct HostKernelOptions {
  std::chrono::milliseconds lock_timeout{};  // zero: one try
  std::chrono::milliseconds lock_probe_interval{50};
};

// The real one. Errors: kFailedPrecondition if the kernel has no address sets, kPermissionDenied.
[[nodiscard]] absl::StatusOr<std::unique_ptr<HostKernel>> OpenHostKernel(
    const HostKernelOptions& options);

}  // namespace felix
