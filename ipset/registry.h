// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "compiler/ir/address_set.h"
#include "compiler/ir/desired_state.h"
#include "ipset/kernel_sets.h"
#include "ipset/planner.h"
#include "model/address.h"

namespace felix::ipset {

struct RegistryOptions {
  std::uint32_t max_set_size = 1048576;          // members a set can hold
  std::chrono::milliseconds destroy_budget{50};  // per ApplyRemovals; one set goes in any case
};

struct ApplyStats {
  std::size_t sets_created = 0;
  std::size_t sets_destroyed = 0;
  std::size_t sets_swapped = 0;
  std::size_t members_added = 0;  // those that fill a new or replaced set included
  std::size_t members_removed = 0;
  std::size_t destroys_refused = 0;  // left to the next Resync
  std::size_t kernel_calls = 0;      // calls of KernelSets
};

// All sets of one family: what they should hold, how far the kernel is from it, and the way there.
// The first apply reads every set of ours and adopts what is right, so that a restart writes
// nothing; after that only changes are written, and the kernel is believed until the next Resync.
//
// An apply has two phases, before and after the rules are written: ApplyUpserts brings what new
// rules will name, ApplyRemovals takes away what old rules named. A set that fails stays dirty and
// is read again before its next write; the others go on. Sets in the kernel with a name of ours
// (IsOurs) that nobody desires are destroyed; all other sets are left alone.
class Registry {
 public:
  // `kernel` must outlive the object.
  Registry(model::IpFamily family, KernelSets& kernel, const RegistryOptions& options);

  // Takes over the family's part of the delta; no kernel call.
  void Stage(const ir::DesiredDelta& delta);
  // Desires nothing: the next applies look for every set of ours and destroy it.
  void RemoveEverything();
  // Makes the next apply read all sets of ours again, repair them, and retry refused destroys.
  void Resync() { listed_ = false; }

  // True if an apply would do something, be it a retry.
  [[nodiscard]] bool dirty() const;
  // True if ApplyRemovals has something left to do.
  [[nodiscard]] bool removals_pending() const;

  // Creates sets and adds members. `tables_change` says that rules will be written before
  // ApplyRemovals: then superfluous members stay until that; else they go in the same burst.
  // The status is that of the first failure and counts the others; failed_sets() names them.
  absl::StatusOr<ApplyStats> ApplyUpserts(bool tables_change);
  // Removes members that had to wait, then destroys sets within the time budget. A destroy that is
  // refused because something still names the set is not an error.
  absl::StatusOr<ApplyStats> ApplyRemovals();

  // Sets that the last ApplyUpserts left short of what is desired; no rule may start to name them.
  [[nodiscard]] const std::vector<ir::SetKey>& failed_sets() const { return failed_sets_; }

  // What the applies would do now, as lines of `ipset restore`; comments start with '#'. Reads the
  // kernel, writes nothing.
  absl::StatusOr<std::vector<std::string>> DryRun();

 private:
  struct Entry {
    std::string name;  // in the kernel
    ir::AddressSet desired;
    bool known = false;    // whether `actual` holds
    bool waits = false;    // superfluous members wait for ApplyRemovals
    int failed_reads = 0;  // in a row
    Actual actual;
  };
  class Failures;

  [[nodiscard]] Target TargetOf(const Entry& entry) const;
  void StageNew(const std::string& id, const ir::AddressSet& set);
  void StageChange(const std::string& id, const ir::MemberChange& change);
  void StageRemoved(const std::string& id);
  static void AddMember(Entry& entry, const ir::SetMember& member);
  static void RemoveMember(Entry& entry, const ir::SetMember& member);

  absl::Status List(ApplyStats& stats);
  absl::Status Claim(const std::string& id, const Entry& entry);
  absl::Status Learn(Entry& entry, ApplyStats& stats);
  // Claims the name, learns what is there, and plans.
  absl::StatusOr<SetPlan> PlanEntry(const std::string& id, Entry& entry, Removals removals,
                                    ApplyStats& stats);
  absl::Status Bring(const std::string& id, Entry& entry, Removals removals, ApplyStats& stats);
  void Confirm(Entry& entry, const SetPlan& plan, ApplyStats& stats);
  void Distrust(Entry& entry, const SetPlan& plan);
  void DestroyDoomed(ApplyStats& stats, Failures& failures);
  [[nodiscard]] std::string FreeTemporary();

  model::IpFamily family_;
  KernelSets& kernel_;
  RegistryOptions options_;
  bool listed_ = false;
  std::uint64_t next_temporary_ = 0;
  absl::btree_map<std::string, Entry> entries_;  // desired sets by id
  // Which id a kernel name belongs to. A removed set keeps its name until it is destroyed, so that
  // no other id takes over what rules may still see.
  absl::btree_map<std::string, std::string> holders_;
  absl::btree_set<std::string> present_;  // names of ours that may be in the kernel
  absl::btree_set<std::string> doomed_;   // names of ours to destroy
  absl::btree_set<std::string> dirty_;    // ids that ApplyUpserts must look at
  absl::btree_set<std::string> waiting_;  // ids that ApplyRemovals must look at
  std::vector<ir::SetKey> failed_sets_;
};

}  // namespace felix::ipset
