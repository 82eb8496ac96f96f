// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "compiler/ir/address_set.h"
#include "compiler/ir/desired_state.h"
#include "ipset/apply_stats.h"
#include "ipset/kernel_sets.h"
#include "ipset/planner.h"
#include "model/address.h"

namespace felix::ipset {

class Failures;

struct RegistryOptions {
  std::uint32_t max_set_size = 1048576;           // members a set can hold
  std::chrono::milliseconds destroy_budget{5};    // per ApplyRemovals; one set goes in any case
  std::chrono::milliseconds upsert_budget{40};    // per ApplyUpserts; one set is done in any case
  std::chrono::microseconds verify_budget{1500};  // per Verify; one portion is read in any case
};

// All sets of one family: what they should hold, how far the kernel is from it, and the way there.
// The first apply reads every set of ours and adopts what is right, so that a restart writes
// nothing; after that only changes are written. Resync compares the headers of all sets (presence,
// type, parameters, number of members) and reads those in full that differ; then Verify compares
// all members of all sets, a little at each call, to find what headers do not tell.
//
// An apply has two phases, before and after the rules are written: ApplyUpserts brings what new
// rules will name, ApplyRemovals takes away what old rules named. A set that fails stays dirty and
// is read again before its next write, after all others had their turn. Sets in the kernel with a
// name of ours (IsOurs) that nobody desires are destroyed; all other sets are left alone.
//
// A set is quarantined if it has more members than max_set_size, which is seen without asking the
// kernel, or if it failed kFailuresToQuarantine times in a row. What the kernel then holds under
// its name, if anything, is not what is desired, and whoever names it must assume the worst. It is
// tried again at each ApplyUpserts, and leaves quarantine when that succeeds.
class Registry {
 public:
  static constexpr int kFailuresToQuarantine = 3;

  // `kernel` must outlive the object.
  Registry(model::IpFamily family, KernelSets& kernel, const RegistryOptions& options);

  // Takes over the family's part of the delta; no kernel call.
  void Stage(const ir::DesiredDelta& delta);
  // Desires nothing: the next applies look for every set of ours and destroy it.
  void RemoveEverything();
  // Makes the next apply compare all headers, repair what differs, and retry refused destroys;
  // begins a round of Verify.
  void Resync();
  // Makes the next applies read all sets of ours again, as if this were the start.
  void ForgetKernel() { listed_ = false; }
  // Another ceiling: sets are replaced by ones that can hold so many.
  void SetMaxSetSize(std::uint32_t max_set_size);

  // True if an apply would do something, be it a retry.
  [[nodiscard]] bool dirty() const;
  // True if ApplyRemovals has something left to do.
  [[nodiscard]] bool removals_pending() const;
  // True if the last ApplyUpserts ran out of time: call it again before rules are written.
  [[nodiscard]] bool upserts_pending() const { return upserts_pending_; }
  // True if a round of Verify is not through.
  [[nodiscard]] bool verify_pending() const { return verifying_; }

  // Creates sets and adds members. `tables_change` says that rules will be written before
  // ApplyRemovals: then superfluous members stay until that; else they go in the same burst.
  // The status is that of the first failure and counts the others; failed_sets() names them.
  absl::StatusOr<ApplyStats> ApplyUpserts(bool tables_change);
  // Removes members that had to wait, then destroys sets within the time budget. A destroy that is
  // refused because something still names the set is not an error.
  absl::StatusOr<ApplyStats> ApplyRemovals();
  // Compares some members with the kernel's, within the time budget. Call it when an apply is over.
  absl::StatusOr<ApplyStats> Verify();

  // Sets that the last ApplyUpserts left short of what is desired; no rule may start to name them.
  // Quarantined ones are among them.
  [[nodiscard]] const std::vector<ir::SetKey>& failed_sets() const { return failed_sets_; }
  // Ids of sets that cannot be had, and why; the reason names set and member.
  [[nodiscard]] const absl::btree_map<std::string, absl::Status>& quarantined() const {
    return quarantined_;
  }

  // What others did to our sets, as far as it was found since the last call: "set cali40s:a: 3
  // members instead of 5". It is repaired by the next ApplyUpserts, if it is not already.
  std::vector<std::string> TakeDamage() { return std::exchange(damage_, {}); }

  // What the applies would do now, as lines of `ipset restore`; comments start with '#'. Reads the
  // kernel, writes nothing.
  absl::StatusOr<std::vector<std::string>> DryRun();

 private:
  struct Entry {
    std::string name;  // in the kernel
    ir::AddressSet desired;
    bool known = false;    // whether `actual` holds
    int failed_reads = 0;  // in a row
    int failures = 0;      // in a row
    Actual actual;
  };
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
  // Those of the sets that differ by a few members; others, and all if one fails, stay dirty.
  void BringTogether(const std::vector<std::string>& ids, Removals removals, ApplyStats& stats);
  void UpsertDirty(Removals removals, ApplyStats& stats, Failures& failures);
  void Fail(const std::string& id, Entry& entry, const absl::Status& status);
  [[nodiscard]] absl::Status CheckSize(const Entry& entry) const;
  [[nodiscard]] bool IsSettled(const std::string& id, const Entry& entry) const;
  absl::Status CheckHeaders(ApplyStats& stats);
  void CheckHeader(const std::string& id, Entry& entry, const SetHeader* header);
  void Doubt(const std::string& id, Entry& entry, std::string_view damage);
  void NoteTouched(const Entry& entry, const SetPlan& plan);
  absl::Status VerifyPortion(const std::string& id, Entry& entry, ApplyStats& stats);
  void FinishVerified(const std::string& id, Entry& entry);
  void VerifyNext();
  void DestroyDoomed(ApplyStats& stats, Failures& failures);
  [[nodiscard]] std::string FreeTemporary();

  model::IpFamily family_;
  KernelSets& kernel_;
  RegistryOptions options_;
  bool listed_ = false;
  bool headers_due_ = false;
  bool upserts_pending_ = false;
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
  absl::btree_map<std::string, absl::Status> quarantined_;

  // The round of Verify: the set that is being read, and what was seen of it so far.
  struct Reading {
    std::string id;
    std::size_t seen = 0;                    // wanted members, but for touched ones
    std::size_t strangers = 0;               // others, but for touched ones
    absl::btree_set<ir::SetMember> touched;  // written since the reading began
  };
  bool verifying_ = false;
  std::optional<Reading> reading_;
  std::vector<std::string> damage_;
  std::string verified_up_to_;  // ids up to this one are done
};

}  // namespace felix::ipset
