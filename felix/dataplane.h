// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"

#include "compiler/ir/desired_state.h"
#include "felix/apply_loop.h"
#include "felix/apply_report.h"
#include "felix/departures.h"
#include "felix/family_dataplane.h"
#include "felix/host_kernel.h"
#include "ipset/registry.h"
#include "iptables/table.h"
#include "model/address.h"

namespace felix {

struct DataplaneOptions {
  bool ipv6_support = true;  // false: nothing of IPv6 is read or written
  iptables::HookPlacement placement = iptables::HookPlacement::kInsert;
  ipset::RegistryOptions sets;
};

// Brings the kernel to the desired state: the only code that knows both sets and rules. Rules name
// sets, so within a family sets come first, then tables, and what no rule names any more goes last.
// Before all of that go the connections of addresses that left: rules excuse what is established,
// so a new owner would take over what the former one was allowed. Where elements tell containers,
// rules ask for the element before they excuse anything, and connections may wait up to
// kFlowsPause for others, unless an address gets a new owner here: the kernel walks through all
// that it knows, which takes it tens of milliseconds.
// What tells containers by elements (ir::MarkMap) goes the other way: an element comes after the
// rules that its mark leads to, and goes before them.
// A failure stays where it is: a table that names a set which failed waits, a chain that the kernel
// refuses is closed, all else proceeds, and the next Apply does what is left. The filter tables are
// always kept; the other tables are swept of what an older version left in them, if they exist.
class Dataplane final : public Applier {
 public:
  static constexpr std::chrono::milliseconds kFlowsPause{500};

  // `kernel` must outlive the object.
  Dataplane(const Clock& clock, HostKernel& kernel, const DataplaneOptions& options);
  ~Dataplane() override;

  // Takes note; no kernel call. Families that are switched off keep note as well.
  void Stage(const ir::DesiredDelta& delta);
  // Other options; `desired` is the whole of what was staged so far.
  void SetOptions(const DataplaneOptions& options, const ir::DesiredState& desired);

  ApplyReport Apply() override;
  void ResyncTables() override;
  void ResyncTable(const TableId& table) override;
  void ResyncSets() override;

  // Wants nothing of ours any more, in both families and in every table that exists.
  void RemoveEverything();
  // True if RemoveEverything left sets to destroy after an Apply, or anything else is undone.
  [[nodiscard]] bool dirty() const;
  // What Apply would do, one line each. Reads, writes nothing.
  absl::StatusOr<std::vector<std::string>> DryRun();

 private:
  void KeepPresentTables();
  // True while the connections of addresses that left pass nothing and may wait for company.
  [[nodiscard]] bool FlowsCanWait(ApplyReport& report);
  void ForgetFlows(ApplyReport& report);
  [[nodiscard]] bool IsOn(const FamilyDataplane& family) const;

  const Clock& clock_;
  HostKernel& kernel_;
  DataplaneOptions options_;
  bool only_present_tables_ = false;  // while removing everything
  bool look_for_tables_ = true;
  Departures departures_;
  std::optional<Clock::TimePoint> flows_due_;               // of departures that wait
  std::vector<std::unique_ptr<FamilyDataplane>> families_;  // IPv4, then IPv6
};

}  // namespace felix
