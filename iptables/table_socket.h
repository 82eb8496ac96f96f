// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "compiler/ir/desired_state.h"
#include "iptables/kernel_table.h"
#include "iptables/table_blob.h"
#include "iptables/table_outline.h"
#include "model/address.h"

namespace felix::iptables {

// The system calls by which legacy x_tables gives and takes whole tables (IPT_SO_GET_ENTRIES,
// IPT_SO_SET_REPLACE, IPT_SO_SET_ADD_COUNTERS). Takes no lock. Of the network namespace in which
// Open() was called.
class TableSocket {
 public:
  static absl::StatusOr<TableSocket> Open(model::IpFamily family, ir::Table table);
  TableSocket(TableSocket&& other) noexcept;
  TableSocket& operator=(TableSocket&& other) noexcept;
  ~TableSocket();

  // Fills a buffer as TableBlob has them with a table of that outline. What follows the names of
  // extensions stays in the buffer as it is, since the kernel writes nothing there. Errors:
  // kAborted if the table has another size by now; else as errno_status.h has them.
  absl::Status Read(const TableOutline& outline, std::string& buffer) const;
  // Puts that blob in place of a table of `entries_before` entries. The counters of all entries of
  // the old table, as of the exchange, are in `before`; those of the new one are zero. Errors:
  // kAborted if the number of entries is another one, else as CommitFailure() has them.
  absl::Status Replace(TableBlob& blob, std::size_t entries_before,
                       std::vector<Counters>& before) const;
  // Adds to the counters of all entries.
  absl::Status AddCounters(const std::vector<Counters>& counters) const;

 private:
  TableSocket(model::IpFamily family, ir::Table table, int fd)
      : family_(family), table_(table), fd_(fd) {}

  model::IpFamily family_;
  ir::Table table_;
  int fd_ = -1;
};

}  // namespace felix::iptables
