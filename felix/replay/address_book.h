// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"

#include "compiler/options.h"
#include "model/store.h"

namespace felix::replay {

// The configurations of hosts, each worked out once.
using OptionsOf = std::function<const compiler::Options&(const std::string& host)>;

// A workload endpoint with what follows from the rest of the cluster.
struct Workload {
  model::WorkloadEndpointId id;
  model::WorkloadEndpoint endpoint;
  model::LabelSet labels;  // with those of its profiles
  std::uint32_t label_class = 0;
  // Why its own host has no chains for it; empty: it has.
  std::string out_of_force;
  bool interface_is_ours = true;  // by the prefixes of its host
};

// Somebody who has an address, for rules that select by label or by the name of a port.
struct Owner {
  std::uint32_t label_class = 0;
  const std::vector<model::NamedPort>* ports = nullptr;  // null: of a network set
  const Workload* workload = nullptr;                    // null: it is always there
};

// All that rules can ask about one address.
struct AddressInfo {
  model::IpAddress address;
  std::vector<Owner> owners;
};

// Who has which address and which labels, in a cluster that no longer changes. Label sets that are
// equal are one class, so that a selector is asked once for each of them.
class AddressBook {
 public:
  AddressBook(const model::Store& store, const OptionsOf& options_of);
  AddressBook(const AddressBook&) = delete;
  AddressBook& operator=(const AddressBook&) = delete;

  [[nodiscard]] const std::vector<Workload>& workloads() const { return workloads_; }
  [[nodiscard]] const absl::btree_map<model::ProfileId, model::Profile>& profiles() const {
    return profiles_;
  }
  [[nodiscard]] AddressInfo Look(const model::IpAddress& address) const;
  [[nodiscard]] const std::vector<model::LabelSet>& label_classes() const { return classes_; }

  // Whether the rules of that host count the owner.
  [[nodiscard]] static bool Counts(const Owner& owner, const compiler::Options& options);
  // Whether the selector selects the class; worked out once.
  [[nodiscard]] bool Selects(const model::Selector& selector, std::uint32_t label_class) const;
  [[nodiscard]] bool IsSelected(const model::Selector& selector, const AddressInfo& info,
                                const compiler::Options& options) const;
  [[nodiscard]] bool HasNamedPort(const model::Selector& selector, const model::NamedPort& wanted,
                                  const AddressInfo& info, const compiler::Options& options) const;

 private:
  [[nodiscard]] model::LabelSet Inherited(const model::LabelSet& own,
                                          const std::vector<std::string>& profiles) const;
  std::uint32_t ClassOf(const model::LabelSet& labels);
  void AddWorkloads(const model::Store& store, const OptionsOf& options_of);
  void AddHostEndpoints(const model::Store& store);
  void AddNetworkSets(const model::Store& store);

  absl::btree_map<model::ProfileId, model::Profile> profiles_;
  std::vector<Workload> workloads_;
  std::vector<model::HostEndpoint> host_endpoints_;
  std::vector<model::LabelSet> classes_;
  absl::flat_hash_map<model::LabelSet, std::uint32_t> class_numbers_;
  absl::flat_hash_map<model::IpAddress, std::vector<Owner>> hosts_;
  // By length, so that one look for each length finds all that hold an address.
  std::map<int, absl::flat_hash_map<model::Cidr, std::vector<Owner>>> nets_;
  enum class Known : std::uint8_t { kNo, kYes, kUnknown };
  mutable absl::flat_hash_map<model::Selector, std::vector<Known>> selected_;
};

}  // namespace felix::replay
