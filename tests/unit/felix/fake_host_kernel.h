// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "felix/host_kernel.h"
#include "tests/support/fake_kernel_sets.h"
#include "tests/support/fake_kernel_table.h"

namespace felix::testing {

// A host in memory: fake sets, fake tables, and the numbers by which rules name sets. It outlives
// the programs that use it, as a kernel does.
class FakeHost {
 public:
  using TableKey = std::pair<model::IpFamily, ir::Table>;

  FakeKernelSets sets;
  std::map<model::IpFamily, std::vector<ir::Table>> present;
  std::function<absl::StatusOr<std::uint64_t>(model::IpFamily,
                                              const absl::btree_set<model::IpAddress>&)>
      forget_flows = [](auto, const auto&) { return 0; };

  FakeKernelTable& table(model::IpFamily family, ir::Table name = ir::Table::kFilter) {
    std::unique_ptr<FakeKernelTable>& table = tables_[{family, name}];
    if (table == nullptr) table = std::make_unique<FakeKernelTable>(name);
    return *table;
  }
  FakeKernelTable& v4() { return table(model::IpFamily::kV4); }
  FakeKernelTable& v6() { return table(model::IpFamily::kV6); }

  std::uint16_t NumberOf(const std::string& set) {
    return numbers_.try_emplace(set, static_cast<std::uint16_t>(numbers_.size() + 1)).first->second;
  }
  // A hook or a rule of a chain of ours, as the kernel would see it.
  bool HasChain(model::IpFamily family, std::string_view name) {
    for (const iptables::KernelChain& chain : table(family).content().chains) {
      if (chain.name == name) return true;
    }
    return false;
  }
  // True if nobody as much as looked at a table.
  bool Untouched() {
    for (const auto& [key, table] : tables_) {
      if (table->opens() != 0) return false;
    }
    return sets.steps() == 0 && sets.reads() == 0;
  }

 private:
  std::map<TableKey, std::unique_ptr<FakeKernelTable>> tables_;
  std::map<std::string, std::uint16_t> numbers_;
};

// One program's view of the host.
class FakeHostKernel final : public HostKernel {
 public:
  explicit FakeHostKernel(FakeHost& host) : host_(host) {}

  ipset::KernelSets& sets() override { return host_.sets; }
  absl::StatusOr<std::uint16_t> SetIndex(const std::string& name) override {
    if (!host_.sets.Exists(name)) return absl::NotFoundError("set " + name + " does not exist");
    return host_.NumberOf(name);
  }
  std::unique_ptr<iptables::KernelTable> MakeTable(model::IpFamily family,
                                                   ir::Table table) override {
    return std::make_unique<Borrowed>(host_.table(family, table));
  }
  std::vector<ir::Table> PresentTables(model::IpFamily family) override {
    return host_.present[family];
  }
  absl::StatusOr<std::uint64_t> ForgetFlows(
      model::IpFamily family, const absl::btree_set<model::IpAddress>& addresses) override {
    return host_.forget_flows(family, addresses);
  }

  absl::StatusOr<iptables::TableOutline> Outline(model::IpFamily family, ir::Table table) override {
    iptables::TableOutline outline;
    for (const iptables::KernelChain& chain : host_.table(family, table).content().chains) {
      outline.entries += 1 + static_cast<std::uint32_t>(chain.rules.size());
    }
    return outline;
  }
  LockWatch* lock_watch() override { return nullptr; }

 private:
  class Borrowed final : public iptables::KernelTable {
   public:
    explicit Borrowed(FakeKernelTable& table) : table_(table) {}
    absl::StatusOr<std::unique_ptr<iptables::TableSession>> Open() override {
      return table_.Open();
    }

   private:
    FakeKernelTable& table_;
  };

  FakeHost& host_;
};

}  // namespace felix::testing
