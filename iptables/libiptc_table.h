// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "absl/status/statusor.h"

#include "compiler/ir/desired_state.h"
#include "iptables/kernel_table.h"
#include "iptables/xtables_lock.h"
#include "model/address.h"

namespace felix::iptables {

// A legacy x_tables table of the network namespace that the calling thread is in, through libiptc:
// in this process, without text and without a fork. Each session takes the xtables lock before it
// reads, because the kernel itself notices only a changed number of rules: without the lock, two
// writers lose each other's changes.
class LibiptcTable final : public KernelTable {
 public:
  LibiptcTable(model::IpFamily family, ir::Table table, XtablesLock::Options lock = {})
      : family_(family), table_(table), lock_(lock) {}

  absl::StatusOr<std::unique_ptr<TableSession>> Open() override;
  // The same for who has the lock already.
  [[nodiscard]] absl::StatusOr<std::unique_ptr<TableSession>> OpenLocked(XtablesLock lock) const;

 private:
  model::IpFamily family_;
  ir::Table table_;
  XtablesLock::Options lock_;
};

}  // namespace felix::iptables
