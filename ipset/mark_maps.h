// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "compiler/ir/desired_state.h"
#include "ipset/apply_stats.h"
#include "ipset/kernel_sets.h"
#include "ipset/tracked_map.h"
#include "model/address.h"

namespace felix::ipset {

class Failures;

struct MarkMapOptions {
  std::uint32_t max_set_size = 1048576;  // members a map can hold
};

// What rules found an address of a mark map for.
struct AddressCounters {
  ir::LocalAddress address;
  MemberCounters counters;
  bool operator==(const AddressCounters&) const = default;
};
struct MapCounters {
  std::string id;                          // of the map
  std::vector<AddressCounters> addresses;  // in order
  bool operator==(const MapCounters&) const = default;
};

// All mark maps of one family, as sets of type hash:net,iface whose members carry marks and count:
// what they should hold, how far the kernel is from it, and the way there. The first apply reads
// what is there and adopts it, so that a restart writes nothing; after that only changes are
// written, each in one message as long as it is one member. Resync reads all maps in full.
//
// An apply has two phases, before and after the rules are written. ApplyLeaving creates maps that
// rules will name, with all their members, since nothing reads them yet; and deletes members: what
// is not desired any more, what others put there, and what has another mask than desired, so that
// no new rule meets a mark of the old mask. ApplyArriving adds members and overwrites marks, and
// destroys maps that nobody desires. So a member is there only while the rules are that its mark
// leads to.
//
// A map of the right type with other parameters is replaced by one step in ApplyLeaving; what stays
// keeps its mark and its counters. One of another type is destroyed first, which fails as long as
// something names it. A member that comes starts to count at zero; one whose mark is overwritten
// counts on, and so does one whose mask changes, but for what passes meanwhile.
//
// Sets in the kernel with a name of ours (IsMarkMap) that nobody desires are destroyed; all others
// are left alone. Errors name set and member; what failed is read again before it is written again.
// A member that the kernel refuses holds up no other.
class MarkMaps {
 public:
  // `kernel` must outlive the object.
  MarkMaps(model::IpFamily family, KernelSets& kernel, const MarkMapOptions& options);

  // Takes over the family's part of the delta; no kernel call.
  void Stage(const ir::DesiredDelta& delta);
  // Desires nothing: the next applies look for every map of ours and destroy it.
  void RemoveEverything();
  // Makes the next ApplyLeaving compare all maps with the kernel's, and repair what differs; and
  // the next ApplyArriving retry refused destroys.
  void Resync();
  // Makes the next applies read all maps of ours again, as if this were the start.
  void ForgetKernel() { listed_ = false; }

  // True if an apply would do something, be it a retry; refused destroys do not count.
  [[nodiscard]] bool dirty() const { return has_leaving() || has_arriving(); }
  // True if ApplyLeaving has something to do.
  [[nodiscard]] bool has_leaving() const;
  // True if ApplyArriving has something to do, once ApplyLeaving is done.
  [[nodiscard]] bool has_arriving() const;

  // The status is that of the first failure and counts the others; failed_maps() names them.
  absl::StatusOr<ApplyStats> ApplyLeaving();
  // Passes over maps for which ApplyLeaving has something to do. A destroy that is refused because
  // something still names the map is not an error, and is retried by each later call.
  absl::StatusOr<ApplyStats> ApplyArriving();

  // Maps that the last ApplyLeaving left without their set, or with members that should have gone:
  // no rule may start to name them.
  [[nodiscard]] const std::vector<ir::SetKey>& failed_maps() const { return failed_maps_; }

  // What others did to our maps, as far as it was found since the last call: "set cali40e:to: is
  // gone". It is repaired by the apply that found it.
  std::vector<std::string> TakeDamage() { return std::exchange(damage_, {}); }

  // What rules have counted so far, of all desired maps that are there; members that are not
  // desired are left out. Reads the kernel.
  absl::StatusOr<std::vector<MapCounters>> ReadCounters();

  // What the applies would do now, as lines of `ipset restore`; comments start with '#'. Reads the
  // kernel, writes nothing.
  absl::StatusOr<std::vector<std::string>> DryRun();

 private:
  void StageNew(const std::string& id, const ir::MarkMap& map);
  void StageRemoved(const std::string& id);
  absl::Status List(ApplyStats& stats);
  void Check(TrackedMap& map, ApplyStats& stats);
  absl::Status Learn(TrackedMap& map, ApplyStats& stats);
  // As the next two, for all maps that differ by a few members alone, if all goes well.
  void LeaveTogether(ApplyStats& stats);
  void ArriveTogether(ApplyStats& stats);
  absl::Status Leave(TrackedMap& map, ApplyStats& stats);
  void Arrive(TrackedMap& map, ApplyStats& stats, Failures& failures);
  void ArriveOneByOne(TrackedMap& map, const std::vector<InterfaceMember>& members,
                      ApplyStats& stats, Failures& failures);
  void DestroyDoomed(ApplyStats& stats, Failures& failures);
  [[nodiscard]] absl::Status Explain(const TrackedMap& map, absl::Status status) const;
  [[nodiscard]] std::string FreeTemporary();

  model::IpFamily family_;
  KernelSets& kernel_;
  MarkMapOptions options_;
  bool listed_ = false;
  bool check_due_ = false;
  std::uint64_t next_temporary_ = 0;
  absl::btree_map<std::string, TrackedMap> maps_;  // desired ones by id
  absl::btree_set<std::string> present_;           // names of ours that may be in the kernel
  absl::btree_set<std::string> doomed_;            // names of ours to destroy
  absl::btree_set<std::string> refused_;           // to destroy as well, but something names them
  std::vector<ir::SetKey> failed_maps_;
  std::vector<std::string> damage_;
};

}  // namespace felix::ipset
