// SPDX-License-Identifier: Apache-2.0
#include "felix/host_kernel.h"

#include <array>
#include <fstream>
#include <utility>

#include "fmt/format.h"

#include "felix/netlink/conntrack.h"
#include "ipset/libipset_sets.h"
#include "iptables/mirrored_table.h"
#include "iptables/set_index.h"
#include "model/base/strings.h"

namespace felix {
namespace {

constexpr std::array kTables = {ir::Table::kRaw, ir::Table::kMangle, ir::Table::kNat,
                                ir::Table::kFilter};

class SystemKernel final : public HostKernel {
 public:
  SystemKernel(std::unique_ptr<ipset::LibipsetSets> sets, const HostKernelOptions& options)
      : sets_(std::move(sets)),
        lock_{.timeout = options.lock_timeout, .probe_interval = options.lock_probe_interval} {}

  ipset::KernelSets& sets() override { return *sets_; }

  absl::StatusOr<std::uint16_t> SetIndex(const std::string& name) override {
    return indexes_.Find(name);
  }

  std::unique_ptr<iptables::KernelTable> MakeTable(model::IpFamily family,
                                                   ir::Table table) override {
    return std::make_unique<iptables::MirroredTable>(family, table, lock_, &lock_watch_);
  }

  std::vector<ir::Table> PresentTables(model::IpFamily family) override {
    // The file is of the reader's own namespace, and missing as long as no table is loaded.
    std::ifstream names(family == model::IpFamily::kV4 ? "/proc/thread-self/net/ip_tables_names"
                                                       : "/proc/thread-self/net/ip6_tables_names");
    std::vector<ir::Table> present;
    for (std::string name; std::getline(names, name);) {
      for (const ir::Table table : kTables) {
        if (ir::TableName(table) == name) present.push_back(table);
      }
    }
    return present;
  }

  absl::StatusOr<iptables::TableOutline> Outline(model::IpFamily family, ir::Table table) override {
    return outlines_.Read(family, table);
  }

  LockWatch* lock_watch() override { return &lock_watch_; }

  absl::StatusOr<std::uint64_t> ForgetFlows(
      model::IpFamily family, const absl::btree_set<model::IpAddress>& addresses) override {
    return conntrack_.Forget(family, addresses);
  }

 private:
  std::unique_ptr<ipset::LibipsetSets> sets_;
  iptables::SetIndexes indexes_;
  iptables::XtablesLock::Options lock_;
  iptables::TableOutlineReader outlines_;
  LockWatch lock_watch_{iptables::XtablesLock::Path()};
  netlink::Conntrack conntrack_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HostKernel>> OpenHostKernel(const HostKernelOptions& options) {
  const auto cannot = [](const absl::Status& status) {
    return absl::Status(
        status.code(),
        ToAbsl(fmt::format("cannot use the kernel's address sets: {}", ToStd(status.message()))));
  };
  absl::StatusOr<std::unique_ptr<ipset::LibipsetSets>> sets = ipset::LibipsetSets::Open();
  if (!sets.ok()) return cannot(sets.status());
  auto kernel = std::make_unique<SystemKernel>(*std::move(sets), options);
  // Any question tells whether we may ask; that there is no such set is a good answer.
  const absl::Status asked = kernel->SetIndex("felix-no-such-set").status();
  if (!asked.ok() && !absl::IsNotFound(asked)) return cannot(asked);
  return kernel;
}

}  // namespace felix
