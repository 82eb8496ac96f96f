// SPDX-License-Identifier: Apache-2.0
#include "felix/counters_report.h"

#include <string_view>
#include <utility>

#include "absl/container/btree_set.h"
#include "fmt/format.h"

#include "compiler/endpoint_layout.h"
#include "compiler/ir/desired_state.h"
#include "compiler/names.h"
#include "felix/json_line.h"
#include "felix/log.h"
#include "ipset/mark_maps.h"
#include "model/base/status_macros.h"

namespace felix {
namespace {

using ByInterface = absl::btree_map<std::string, ContainerCounters>;

void Add(const ipset::MemberCounters& more, ipset::MemberCounters& sum) {
  sum.packets += more.packets;
  sum.bytes += more.bytes;
}

// Those that have an interface here; of two that claim one, the compiler tells who has it.
ByInterface LocalContainers(const compiler::Graph& graph) {
  absl::btree_set<std::string> without_effect;
  for (const compiler::Unused& unused : graph.unused()) without_effect.insert(unused.object);
  ByInterface containers;
  for (const auto& [id, endpoint] : graph.store().endpoints()) {
    if (id.host != graph.options().hostname) continue;
    if (without_effect.contains("endpoint " + id.ToString())) continue;
    containers.try_emplace(
        endpoint.interface_name,
        ContainerCounters{
            .id = id.ToString(), .interface_name = endpoint.interface_name, .addresses = {}});
  }
  return containers;
}

void Take(const ipset::MapCounters& map, ByInterface& containers) {
  const bool is_from = map.id == compiler::ElementMapId(compiler::Direction::kEgress);
  for (const ipset::AddressCounters& at : map.addresses) {
    const auto found = containers.find(at.address.interface_name);
    if (found == containers.end()) continue;
    DirectedCounters& counters = found->second.addresses[at.address.address];
    (is_from ? counters.from : counters.to) = at.counters;
  }
}

std::string Columns(const DirectedCounters& counters) {
  return fmt::format("{:>14} {:>18} {:>14} {:>18}", counters.from.packets, counters.from.bytes,
                     counters.to.packets, counters.to.bytes);
}

std::string Line(const ContainerCounters& container, std::string_view address,
                 std::string_view columns) {
  return fmt::format("{:<15} {}{}  {}\n", container.interface_name, address, columns,
                     EscapeControlCharacters(container.id));
}

std::string AddressColumn(std::string_view address) {
  return fmt::format("{:<39} ", address);
}

void Write(std::string_view name, const ipset::MemberCounters& counters, JsonLine& json) {
  json.Key(name).BeginObject();
  json.Field("packets", counters.packets);
  json.Field("bytes", counters.bytes);
  json.EndObject();
}

void Write(const DirectedCounters& counters, JsonLine& json) {
  Write("from", counters.from, json);
  Write("to", counters.to, json);
}

}  // namespace

DirectedCounters ContainerCounters::Total() const {
  DirectedCounters total;
  for (const auto& [address, counters] : addresses) {
    Add(counters.from, total.from);
    Add(counters.to, total.to);
  }
  return total;
}

absl::Status CountsContainers(const compiler::Graph& graph) {
  if (graph.options().chain_layout == compiler::ChainLayout::kShared) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "ChainLayout=PerContainer counts nothing per container (ChainLayout=Shared does; `felix "
      "check --datastore ...` tells whether that layout fits this host)");
}

absl::StatusOr<std::vector<ContainerCounters>> ReadContainerCounters(const compiler::Graph& graph,
                                                                     ipset::KernelSets& sets) {
  ByInterface containers = LocalContainers(graph);
  const ir::DesiredDelta everything = ir::Diff({}, graph.desired());
  bool found = false;
  for (const model::IpFamily family : model::kIpFamilies) {
    ipset::MarkMaps maps(family, sets, {});
    maps.Stage(everything);
    FELIX_ASSIGN_OR_RETURN(const std::vector<ipset::MapCounters> all, maps.ReadCounters());
    for (const ipset::MapCounters& map : all) Take(map, containers);
    found = found || !all.empty();
  }
  if (!found) {
    return absl::NotFoundError(
        "no containers are counted in this network namespace (is felix at work here, with "
        "ChainLayout=Shared?)");
  }
  std::vector<ContainerCounters> result;
  result.reserve(containers.size());
  for (auto& [interface_name, counters] : containers) result.push_back(std::move(counters));
  return result;
}

std::string CountersText(const std::vector<ContainerCounters>& containers, bool by_address) {
  std::string text = fmt::format("{:<15} {}{:>14} {:>18} {:>14} {:>18}  {}\n", "interface",
                                 by_address ? AddressColumn("address") : "", "packets from",
                                 "bytes from", "packets to", "bytes to", "container");
  const std::string nothing = fmt::format("{:>14} {:>18} {:>14} {:>18}", "-", "-", "-", "-");
  for (const ContainerCounters& container : containers) {
    if (container.addresses.empty()) {
      text += Line(container, by_address ? AddressColumn("-") : "", nothing);
    } else if (by_address) {
      for (const auto& [address, counters] : container.addresses) {
        text += Line(container, AddressColumn(address.ToString()), Columns(counters));
      }
    } else {
      text += Line(container, "", Columns(container.Total()));
    }
  }
  return text;
}

std::string CountersJson(const std::vector<ContainerCounters>& containers) {
  JsonLine json;
  json.BeginObject();
  json.Field("version", 1);
  json.Key("containers").BeginArray();
  for (const ContainerCounters& container : containers) {
    json.BeginObject();
    json.Field("id", container.id);
    json.Field("interface", container.interface_name);
    json.Flag("counted", !container.addresses.empty());
    Write(container.Total(), json);
    json.Key("addresses").BeginArray();
    for (const auto& [address, counters] : container.addresses) {
      json.BeginObject();
      json.Field("address", address.ToString());
      Write(counters, json);
      json.EndObject();
    }
    json.EndArray().EndObject();
  }
  json.EndArray().EndObject();
  return json.Text();
}

}  // namespace felix
