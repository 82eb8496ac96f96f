// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "fmt/format.h"

#include "compiler/chain_renderer.h"
#include "compiler/endpoint_layout.h"
#include "compiler/graph.h"
#include "compiler/ir/print.h"
#include "compiler/marks.h"
#include "compiler/names.h"
#include "tests/property/properties.h"
#include "tests/reference/cluster_view.h"
#include "tests/support/interpreter.h"
#include "tests/support/packet_samples.h"
#include "tests/support/random.h"
#include "tests/support/random_cluster.h"

namespace felix::testing {
namespace {

// Members come before the rules change and go after it, whatever the layout.
void Unite(const ir::DesiredState& other, ir::DesiredState& state) {
  for (const auto& [key, set] : other.sets) {
    ir::AddressSet& united = state.sets[key];
    united.kind = set.kind;
    for (const ir::SetMember& member : set.members) united.members.insert(member);
  }
}

// The maps when what leaves has left, and nothing has arrived but in maps that nobody reads yet.
ir::DesiredState WithoutLeaving(const ir::DesiredState& before, const ir::DesiredState& after) {
  ir::DesiredState state = before;
  for (auto& [key, map] : state.mark_maps) {
    const auto wanted = after.mark_maps.find(key);
    if (wanted == after.mark_maps.end()) continue;
    absl::btree_map<ir::LocalAddress, std::uint32_t> kept;
    for (const auto& [address, value] : map.values) {
      const bool stays = wanted->second.values.contains(address) && wanted->second.mask == map.mask;
      if (stays) kept.emplace(address, value);
    }
    map.values = std::move(kept);
  }
  for (const auto& [key, map] : after.mark_maps) state.mark_maps.emplace(key, map);
  return state;
}

struct Moment {
  const char* name;
  ir::DesiredState state;
};

bool BecomesChain(const std::string& interface_name, const model::IpAddress& address,
                  const ir::DesiredState& before, const ir::DesiredState& after) {
  const auto has_element = [&](const ir::DesiredState& state) {
    const auto map = state.mark_maps.find(
        {address.family(), compiler::ElementMapId(compiler::Direction::kEgress)});
    return map != state.mark_maps.end() && map->second.values.contains({interface_name, address});
  };
  return has_element(before) && !has_element(after);
}

// Whether the packet meets, at each moment, what it met before or will meet afterwards.
std::optional<std::string> Contradiction(const Packet& packet, const ir::DesiredState& before,
                                         const ir::DesiredState& after,
                                         const std::vector<Moment>& moments) {
  const bool denied_before = Run(before, packet) == Verdict::kDeny;
  const bool denied_after = Run(after, packet) == Verdict::kDeny;
  if (denied_before != denied_after) return std::nullopt;
  // An element that is to become a chain goes before the rules come.
  if (!denied_before && (BecomesChain(packet.in_interface, packet.source, before, after) ||
                         BecomesChain(packet.out_interface, packet.destination, before, after))) {
    return std::nullopt;
  }
  for (const Moment& moment : moments) {
    const Verdict verdict = Run(moment.state, packet);
    if ((verdict == Verdict::kDeny) == denied_before) continue;
    return fmt::format("{}, packet {}: {}\nbefore:\n{}\nafter:\n{}", moment.name, packet.ToString(),
                       VerdictName(verdict), ir::Print(before), ir::Print(after));
  }
  return std::nullopt;
}

using ShapesByNumber = std::map<std::uint32_t, compiler::Shape>;

// An element's number, as long as the kernel holds it, means the shape that it meant, or already
// the one that the element is to tell, or none.
std::optional<std::string> NumberOfAnother(const ir::DesiredState& left,
                                           const ir::DesiredState& after,
                                           compiler::Direction direction,
                                           const ShapesByNumber& before_numbers,
                                           const ShapesByNumber& after_numbers,
                                           const compiler::Marks& marks) {
  for (const auto& [key, map] : left.mark_maps) {
    if (key.id != compiler::ElementMapId(direction)) continue;
    for (const auto& [at, value] : map.values) {
      const std::uint32_t number = marks.ShapeNumber(value);
      const auto means = after_numbers.find(number);
      const auto meant = before_numbers.find(number);
      if (means == after_numbers.end()) continue;
      if (meant != before_numbers.end() && means->second == meant->second) continue;
      if (after.mark_maps.at(key).values.at(at) == value) continue;
      return fmt::format("number {} of {} at {} means another shape", number, at.address.ToString(),
                         at.interface_name);
    }
  }
  return std::nullopt;
}

std::vector<model::Update> OfEndpoints(std::vector<model::Update> updates) {
  std::erase_if(updates, [](const model::Update& update) {
    return !std::holds_alternative<model::WorkloadEndpointId>(update.key);
  });
  return updates;
}

}  // namespace

std::optional<Violation> CheckTransitions(std::uint64_t seed, const OnStep& on_step,
                                          VerdictCounts& seen) {
  compiler::Options options = RandomOptions(seed);
  options.chain_layout = compiler::ChainLayout::kShared;
  Random random(seed);
  options.mark_mask = random.PickOf({0xffff0000U, 0x0001ff00U, 0x00007f00U});
  RandomCluster cluster(seed);
  compiler::Graph graph(options);
  for (int i = 0; i < 60; ++i) graph.OnUpdates(cluster.Mutate());
  static_cast<void>(graph.Flush());
  graph.OnApplied();
  ir::DesiredState held = graph.desired();
  const compiler::Marks marks = compiler::Marks::FromMask(options.mark_mask, options.chain_layout);
  std::array<ShapesByNumber, 2> numbers;
  const auto note_numbers = [&] {
    for (const compiler::Direction direction : compiler::kDirections) {
      numbers[compiler::Index(direction)] = graph.shapes_by_number(direction);
    }
  };
  note_numbers();
  bool passes_over = false;
  for (int step = 0; step < 30; ++step) {
    on_step(step);
    graph.OnUpdates(OfEndpoints(cluster.Mutate()));
    if (random.Chance(20)) graph.DropIdleShapes();
    static_cast<void>(graph.Flush());
    // Some states never come to the kernel by themselves.
    const bool passed_over = std::exchange(passes_over, random.Chance(30));
    if (passes_over) continue;
    const ir::DesiredState& wanted = graph.desired();
    ir::DesiredState before = held;
    ir::DesiredState after = wanted;
    Unite(wanted, before);
    Unite(held, after);
    const ir::DesiredState left = WithoutLeaving(before, after);
    ir::DesiredState committed = after;
    committed.mark_maps = left.mark_maps;
    for (const compiler::Direction direction : compiler::kDirections) {
      auto what = NumberOfAnother(left, after, direction, numbers[compiler::Index(direction)],
                                  graph.shapes_by_number(direction), marks);
      if (what.has_value()) return Violation{step, *std::move(what)};
    }
    const std::vector<Moment> moments = {{"what leaves has left", left},
                                         {"the tables are written", committed}};
    for (const Packet& packet : SamplePackets(graph.store(), options, seed * 1000 + step, 60)) {
      ++seen[Run(wanted, packet)];
      // A container may have been gone in a state that was passed over.
      if (passed_over && Run(before, packet) != Verdict::kDeny) continue;
      if (auto what = Contradiction(packet, before, after, moments); what.has_value()) {
        return Violation{step, *std::move(what)};
      }
    }
    held = wanted;
    note_numbers();
    graph.OnApplied();
  }
  return std::nullopt;
}

std::optional<Violation> CheckLayouts(std::uint64_t seed, const OnStep& on_step,
                                      VerdictCounts& seen) {
  compiler::Options options = RandomOptions(seed);
  options.mark_mask = Random(seed).PickOf({0xffff0000U, 0x0001ff00U, 0x00007f00U});
  options.chain_layout = compiler::ChainLayout::kPerContainer;
  compiler::Graph own_chains(options);
  options.chain_layout = compiler::ChainLayout::kShared;
  compiler::Graph shared(options);
  RandomCluster cluster(seed);
  for (int step = 0; step < 12; ++step) {
    on_step(step);
    for (int i = 0; i < 4; ++i) {
      const std::vector<model::Update> updates = cluster.Mutate();
      own_chains.OnUpdates(updates);
      shared.OnUpdates(updates);
    }
    static_cast<void>(own_chains.Flush());
    static_cast<void>(shared.Flush());
    if (step % 2 == 0) shared.OnApplied();
    const reference::ClusterView view(cluster.store(), options);
    const auto is_own = [&](const Packet& packet) {
      const model::WorkloadEndpoint* owner = view.OwnerOf(packet.out_interface);
      return owner != nullptr &&
             std::count(owner->addresses.begin(), owner->addresses.end(), packet.destination) > 0;
    };
    for (const Packet& packet : SamplePackets(cluster.store(), options, seed * 1000 + step, 60)) {
      // On the way to a container elements ask for its address, and discovery by link-local
      // addresses passes them by.
      const bool to_workload = compiler::IsWorkloadInterface(packet.out_interface, options);
      if (to_workload && (packet.redirection.has_value() || !is_own(packet))) continue;
      if (packet.family() == model::IpFamily::kV6 && packet.IsIcmp()) continue;
      const Verdict want = Run(own_chains.desired(), packet);
      ++seen[want];
      const Verdict got = Run(shared.desired(), packet);
      if (got == want) continue;
      return Violation{step, fmt::format("packet {}: {} with chains per container, {} with shared "
                                         "ones\n{}",
                                         packet.ToString(), VerdictName(want), VerdictName(got),
                                         ir::Print(shared.desired()))};
    }
  }
  return std::nullopt;
}

}  // namespace felix::testing
