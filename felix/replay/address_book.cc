// SPDX-License-Identifier: Apache-2.0
#include "felix/replay/address_book.h"

#include <algorithm>
#include <set>
#include <utility>

#include "fmt/format.h"

namespace felix::replay {
namespace {

constexpr int kShortestV6 = 1000;  // keeps the lengths of both families apart

int LengthKey(const model::Cidr& net) {
  return net.prefix_length() + (net.family() == model::IpFamily::kV4 ? 0 : kShortestV6);
}

bool IsOurs(const compiler::Options& options, const std::string& interface) {
  return std::any_of(options.interface_prefixes.begin(), options.interface_prefixes.end(),
                     [&](const std::string& prefix) { return interface.starts_with(prefix); });
}

}  // namespace

AddressBook::AddressBook(const model::Store& store, const OptionsOf& options_of)
    : profiles_(store.profiles().ToMap()) {
  AddWorkloads(store, options_of);
  AddHostEndpoints(store);
  AddNetworkSets(store);
}

model::LabelSet AddressBook::Inherited(const model::LabelSet& own,
                                       const std::vector<std::string>& profiles) const {
  model::LabelSet labels = own;
  for (const std::string& name : profiles) {
    const auto profile = profiles_.find(model::ProfileId{name});
    if (profile != profiles_.end()) labels.Inherit(profile->second.labels_to_apply);
  }
  return labels;
}

std::uint32_t AddressBook::ClassOf(const model::LabelSet& labels) {
  const auto [known, is_new] =
      class_numbers_.try_emplace(labels, static_cast<std::uint32_t>(classes_.size()));
  if (is_new) classes_.push_back(labels);
  return known->second;
}

void AddressBook::AddWorkloads(const model::Store& store, const OptionsOf& options_of) {
  workloads_.reserve(store.endpoints().size());
  std::set<std::pair<std::string, std::string>> taken;  // host, interface
  for (const auto& [id, endpoint] : store.endpoints()) {
    Workload& workload = workloads_.emplace_back();
    workload.id = id;
    workload.endpoint = endpoint;
    workload.labels = Inherited(endpoint.labels, endpoint.profiles);
    workload.label_class = ClassOf(workload.labels);
    const compiler::Options& options = options_of(id.host);
    workload.interface_is_ours = IsOurs(options, endpoint.interface_name);
    if (!workload.interface_is_ours) {
      workload.out_of_force = fmt::format("interface {} has none of the prefixes of workloads",
                                          endpoint.interface_name);
    } else if (!endpoint.allow_spoofed_source_prefixes.empty() &&
               !options.workload_source_spoofing) {
      workload.out_of_force = "its spoofed source prefixes are not allowed";
    } else if (!taken.emplace(id.host, endpoint.interface_name).second) {
      workload.out_of_force =
          fmt::format("interface {} belongs to another endpoint", endpoint.interface_name);
    }
  }
  for (const Workload& workload : workloads_) {
    for (const model::IpAddress& address : workload.endpoint.addresses) {
      hosts_[address].push_back({workload.label_class, &workload.endpoint.ports, &workload});
    }
  }
}

void AddressBook::AddHostEndpoints(const model::Store& store) {
  host_endpoints_.reserve(store.host_endpoints().size());
  for (const auto& [id, endpoint] : store.host_endpoints()) {
    host_endpoints_.push_back(endpoint);
    const std::uint32_t number = ClassOf(Inherited(endpoint.labels, endpoint.profiles));
    for (const model::IpAddress& address : endpoint.expected_addresses) {
      hosts_[address].push_back({number, &host_endpoints_.back().ports, nullptr});
    }
  }
}

void AddressBook::AddNetworkSets(const model::Store& store) {
  for (const auto& [id, network_set] : store.network_sets()) {
    const std::uint32_t number = ClassOf(Inherited(network_set.labels, network_set.profiles));
    for (const model::Cidr& net : network_set.nets) {
      nets_[LengthKey(net)][net].push_back({number, nullptr, nullptr});
    }
  }
}

AddressInfo AddressBook::Look(const model::IpAddress& address) const {
  AddressInfo info{address, {}};
  if (const auto owners = hosts_.find(address); owners != hosts_.end()) {
    info.owners = owners->second;
  }
  const bool v6 = address.family() == model::IpFamily::kV6;
  const auto first = v6 ? nets_.lower_bound(kShortestV6) : nets_.begin();
  const auto last = v6 ? nets_.end() : nets_.lower_bound(kShortestV6);
  for (auto nets = first; nets != last; ++nets) {
    const int length = nets->first - (v6 ? kShortestV6 : 0);
    const auto owners = nets->second.find(model::Cidr(address, length));
    if (owners == nets->second.end()) continue;
    info.owners.insert(info.owners.end(), owners->second.begin(), owners->second.end());
  }
  return info;
}

bool AddressBook::Counts(const Owner& owner, const compiler::Options& options) {
  if (owner.workload == nullptr) return true;
  const Workload& workload = *owner.workload;
  if (!workload.endpoint.allow_spoofed_source_prefixes.empty() &&
      !options.workload_source_spoofing) {
    return false;
  }
  return workload.interface_is_ours || workload.id.host != options.hostname;
}

bool AddressBook::Selects(const model::Selector& selector, std::uint32_t label_class) const {
  std::vector<Known>& known = selected_[selector];
  if (known.empty()) known.assign(classes_.size(), Known::kUnknown);
  Known& answer = known[label_class];
  if (answer == Known::kUnknown) {
    answer = selector.Matches(classes_[label_class]) ? Known::kYes : Known::kNo;
  }
  return answer == Known::kYes;
}

bool AddressBook::IsSelected(const model::Selector& selector, const AddressInfo& info,
                             const compiler::Options& options) const {
  return std::any_of(info.owners.begin(), info.owners.end(), [&](const Owner& owner) {
    return Counts(owner, options) && Selects(selector, owner.label_class);
  });
}

bool AddressBook::HasNamedPort(const model::Selector& selector, const model::NamedPort& wanted,
                               const AddressInfo& info, const compiler::Options& options) const {
  return std::any_of(info.owners.begin(), info.owners.end(), [&](const Owner& owner) {
    return owner.ports != nullptr && Counts(owner, options) &&
           std::find(owner.ports->begin(), owner.ports->end(), wanted) != owner.ports->end() &&
           Selects(selector, owner.label_class);
  });
}

}  // namespace felix::replay
