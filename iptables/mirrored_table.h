// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "compiler/ir/desired_state.h"
#include "iptables/blob_edit.h"
#include "iptables/kernel_table.h"
#include "iptables/libiptc_table.h"
#include "iptables/lock_witness.h"
#include "iptables/table_blob.h"
#include "iptables/table_outline.h"
#include "iptables/table_socket.h"
#include "iptables/xtables_lock.h"
#include "model/address.h"

namespace felix::iptables {

// A legacy x_tables table of which a copy is kept. The first session of a process, and those after
// any doubt, are LibiptcTable's. The others change the copy and put it in place of the kernel's
// table by one call of our own; like libiptc, they add the counters of rules that stay back. A
// session always has the xtables lock. Before it believes the copy, it compares it with what the
// kernel holds, byte for byte, unless nobody can have changed that: the outline is the one that our
// last session left, the witness says that nobody else had a turn with the lock since, and no
// change without a turn was ever seen. What that leaves open is in
// docs/decisions/0016-own-copy-of-a-table.md.
//
// Of one network namespace: that of the thread that opens the first session. One object per table
// in a process, since the witness does not see our own turns. Used by one thread.
class MirroredTable final : public KernelTable {
 public:
  // How sessions began, for tests and figures.
  struct Sessions {
    int by_libiptc = 0;
    int read = 0;      // by a call of our own
    int not_read = 0;  // the copy was believed
  };

  // Without a witness, which must live longer, the table is read in each session.
  MirroredTable(model::IpFamily family, ir::Table table, XtablesLock::Options lock = {},
                LockWitness* witness = nullptr)
      : family_(family),
        table_(table),
        lock_(lock),
        witness_(witness),
        libiptc_(family, table, lock) {}

  absl::StatusOr<std::unique_ptr<TableSession>> Open() override;
  absl::StatusOr<std::unique_ptr<TableSession>> OpenKnown(const KnownTable& known) override;
  [[nodiscard]] const Sessions& sessions() const { return sessions_; }

 private:
  class LibiptcSession;
  class OwnSession;

  absl::StatusOr<std::unique_ptr<TableSession>> OpenLibiptc(XtablesLock lock);
  // Reads all anew. No blob afterwards: the table makes no sense to us.
  absl::Status Load();
  absl::StatusOr<bool> IsStillSame(const TableOutline& outline);
  absl::StatusOr<std::unique_ptr<TableSession>> OpenOwn(XtablesLock lock, const KnownTable* known);
  void Doubt();
  std::optional<std::uint64_t> Token();
  absl::Status Exchange(const Transaction& transaction);
  absl::Status PutBack(const std::vector<KeptEntries>& kept);

  model::IpFamily family_;
  ir::Table table_;
  XtablesLock::Options lock_;
  LockWitness* witness_;
  LibiptcTable libiptc_;
  TableOutlineReader outlines_;
  std::optional<TableSocket> socket_;
  bool in_doubt_ = true;                // the next session is libiptc's
  std::optional<TableBlob> blob_;       // what our last session left, if that was one of our own
  std::optional<std::uint64_t> token_;  // of then, under the lock
  std::uint64_t revision_ = 0;          // of the blob
  bool others_ignore_the_lock_ = false;
  std::string spare_;               // a second buffer, kept for its memory
  std::vector<Counters> counters_;  // the same
  Sessions sessions_;
};

}  // namespace felix::iptables
