// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/statusor.h"

#include "compiler/ir/desired_state.h"
#include "felix/apply_report.h"
#include "felix/clock.h"
#include "felix/host_kernel.h"
#include "ipset/mark_maps.h"
#include "ipset/registry.h"
#include "iptables/table.h"
#include "model/address.h"

namespace felix {

[[nodiscard]] std::string_view FamilyName(model::IpFamily family);  // "ipv4", "ipv6"

// The sets and tables of one family, and the order in which they are brought to the desired state:
// elements that tell containers apart leave, sets come, tables change, such elements arrive, sets
// go. A failure stays where it is: a table that names a set which failed waits, all else proceeds.
class FamilyDataplane {
 public:
  // `clock` and `kernel` must outlive the object. Keeps the filter table at first.
  FamilyDataplane(model::IpFamily family, const Clock& clock, HostKernel& kernel,
                  const ipset::RegistryOptions& sets, iptables::HookPlacement placement);

  [[nodiscard]] model::IpFamily family() const { return family_; }

  // Takes note of the family's part; no kernel call.
  void Stage(const ir::DesiredDelta& delta);
  void SetMaxSetSize(std::uint32_t max_set_size) { sets_.SetMaxSetSize(max_set_size); }
  // Hooks go elsewhere: other tables over the same state, which `everything` says.
  void Rebuild(iptables::HookPlacement placement, const ir::DesiredDelta& everything);
  void KeepTable(ir::Table table);
  void ForgetTable(ir::Table table) { tables_.erase(table); }

  // Whether nothing passes a container's rules but what an element tells (or chains of its own),
  // with no other table left that judges.
  [[nodiscard]] bool elements_tell() const { return judges_in_mangle_ && move_ == Move::kNone; }

  void ResyncTables();
  void ResyncTable(ir::Table table);
  void ResyncSets();
  void RemoveEverything();
  [[nodiscard]] bool dirty() const;

  // As of Dataplane.
  void Apply(ApplyReport& report);
  absl::Status DryRun(std::vector<std::string>& lines);

  // Comparing members, a little at each call.
  [[nodiscard]] bool verify_pending() const { return sets_.verify_pending(); }
  void Verify(ApplyReport& report);
  // What others did to sets.
  void TakeDamage(ApplyReport& report);

 private:
  // Containers are judged in the filter table, or in mangle with ChainLayout=Shared. At the start
  // nobody knows what the kernel holds, so that it may have to move either way.
  enum class Move : std::uint8_t { kNone, kToFilter, kToMangle };
  struct KeptTable {
    std::unique_ptr<iptables::KernelTable> kernel;
    std::unique_ptr<iptables::Table> table;
  };

  void StageMove(const ir::DesiredDelta& delta);
  void ApplyLeaving(ApplyReport& report);
  void ApplyUpserts(ApplyReport& report);
  // True if all tables of the family are as desired.
  bool ApplyTables(ApplyReport& report);
  bool ApplyTable(ir::Table name, KeptTable& kept, ApplyReport& report);
  void ApplyArriving(ApplyReport& report);
  void ApplyRemovals(ApplyReport& report);
  // What names a set that cannot be had must not be believed, so its chains are closed.
  void CloseForQuarantinedSets();
  void ReportClosed(ApplyReport& report);
  void ReportMapFailure(std::string_view act, const absl::Status& status,
                        ApplyReport& report) const;

  const model::IpFamily family_;
  const Clock& clock_;
  HostKernel& kernel_;
  iptables::HookPlacement placement_;
  ipset::Registry sets_;
  ipset::MarkMaps maps_;
  Move move_ = Move::kToFilter;
  bool judges_in_mangle_ = false;
  absl::btree_set<ir::SetKey> failed_sets_;
  absl::btree_map<ir::Table, KeptTable> tables_;
};

}  // namespace felix
