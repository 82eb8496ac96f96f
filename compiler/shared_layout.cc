// SPDX-License-Identifier: Apache-2.0
#include "compiler/shared_layout.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "compiler/chain_renderer.h"
#include "compiler/fault.h"
#include "compiler/shape_tree.h"

namespace felix::compiler {

SharedLayout::SharedLayout(std::vector<RenderContext> contexts, ActiveRules& rules,
                           Emitter& emitter, Stats& stats)
    : contexts_(std::move(contexts)),
      marks_(contexts_.front().marks),
      rules_(rules),
      emitter_(emitter),
      numbers_{ShapeNumbers(marks_.shape_count()), ShapeNumbers(marks_.shape_count())},
      own_chains_(ShapeKind::kSharedWorkload, contexts_, rules, emitter, stats) {
  for (const Direction direction : kDirections) {
    for (const RenderContext& context : contexts_) {
      emitter_.SetMarkMap({.family = context.family, .id = ElementMapId(direction)},
                          marks_.element());
    }
    RenderTree(direction);
  }
}

void SharedLayout::Adopt(const Adopted& adopted) {
  for (const Direction direction : kDirections) {
    numbers_[Index(direction)].Adopt(adopted[Index(direction)].by_chain);
    adopted_[Index(direction)] = adopted[Index(direction)].elements;
  }
}

bool SharedLayout::Concerns(const model::IpAddress& address) const {
  return std::any_of(contexts_.begin(), contexts_.end(), [&](const RenderContext& context) {
    return context.family == address.family();
  });
}

// Who of an address's interfaces has an element depends on the others: the first ones by name do.
void SharedLayout::Hold(const std::string& interface_name, const Container& container, bool more) {
  if (!container.shapes.has_value()) return;
  for (const model::IpAddress& address : container.endpoint.addresses) {
    absl::btree_set<std::string>& sharers = sharers_[address];
    if (sharers.size() + 1 > kMaxSharers) dirty_.insert(sharers.begin(), sharers.end());
    if (more) {
      sharers.insert(interface_name);
    } else {
      sharers.erase(interface_name);
      if (sharers.empty()) sharers_.erase(address);
    }
  }
}

bool SharedLayout::IsCrowdedOut(const std::string& interface_name,
                                const model::IpAddress& address) const {
  const absl::btree_set<std::string>& sharers = sharers_.at(address);
  if (sharers.size() <= kMaxSharers) return false;
  const auto first_out = std::next(sharers.begin(), kMaxSharers);
  return interface_name >= *first_out;
}

void SharedLayout::Set(const std::string& interface_name, const model::WorkloadEndpoint& endpoint,
                       const ContainerShapes* shapes) {
  Container& container = containers_[interface_name];
  Hold(interface_name, container, false);
  container.endpoint = endpoint;
  container.shapes = shapes == nullptr ? std::nullopt : std::optional(*shapes);
  Hold(interface_name, container, true);
  // The old numbers are kept until new ones are found: a shape that stays need not go in between.
  if (container.numbers.has_value()) released_.push_back(*std::exchange(container.numbers, {}));
  dirty_.insert(interface_name);
}

void SharedLayout::Remove(const std::string& interface_name) {
  const auto found = containers_.find(interface_name);
  if (found == containers_.end()) return;
  Container& container = found->second;
  Hold(interface_name, container, false);
  EmitElements(interface_name, container, {});
  if (container.numbers.has_value()) released_.push_back(*container.numbers);
  own_chains_.Remove(interface_name);
  waiting_.erase(interface_name);
  lingering_.erase(interface_name);
  dirty_.erase(interface_name);
  containers_.erase(found);
}

void SharedLayout::TakeNumbers(const std::string& interface_name, Container& container) {
  waiting_.erase(interface_name);
  if (!container.shapes.has_value() || container.numbers.has_value()) return;
  for (const Direction direction : kDirections) {
    if (numbers_[Index(direction)].CanAcquire((*container.shapes)[Index(direction)])) continue;
    waiting_.insert(interface_name);
    return;
  }
  Pair& pair = container.numbers.emplace();
  for (const Direction direction : kDirections) {
    pair[Index(direction)] =
        numbers_[Index(direction)].Acquire((*container.shapes)[Index(direction)]);
  }
}

void SharedLayout::EmitMark(const std::string& interface_name, const model::IpAddress& address,
                            const std::optional<Pair>& numbers) {
  for (const Direction direction : kDirections) {
    std::optional<std::uint32_t> value;
    if (numbers.has_value()) {
      value = marks_.known | marks_.ShapeBits((*numbers)[Index(direction)]);
    }
    emitter_.SetMark({.family = address.family(), .id = ElementMapId(direction)},
                     {.interface_name = interface_name, .address = address}, value);
  }
}

void SharedLayout::EmitElements(const std::string& interface_name, Container& container,
                                const absl::btree_set<model::IpAddress>& wanted) {
  for (const model::IpAddress& address : container.elements) {
    if (!wanted.contains(address)) EmitMark(interface_name, address, std::nullopt);
  }
  for (const model::IpAddress& address : wanted) {
    EmitMark(interface_name, address, container.numbers);
  }
  container.elements = wanted;
}

void SharedLayout::Settle(const std::string& interface_name) {
  Container& container = containers_.at(interface_name);
  absl::btree_set<model::IpAddress> wanted;
  std::vector<model::IpAddress> without_element;
  for (const model::IpAddress& address : container.endpoint.addresses) {
    if (!container.numbers.has_value()) {
      without_element.push_back(address);
    } else if (Concerns(address)) {
      if (IsCrowdedOut(interface_name, address)) {
        without_element.push_back(address);
      } else {
        wanted.insert(address);
      }
    }
  }
  // Rules come before elements: what goes over to an element keeps its chains until it is there.
  const bool some_come = std::any_of(
      wanted.begin(), wanted.end(),
      [&](const model::IpAddress& address) { return !container.elements.contains(address); });
  const bool lingers = own_chains_.Has(interface_name) && container.shapes.has_value() &&
                       (some_come || lingering_.contains(interface_name));
  EmitElements(interface_name, container, wanted);
  if (lingers) {
    lingering_.insert(interface_name);
    own_chains_.Set(interface_name, container.endpoint, &*container.shapes);
    return;
  }
  const bool needs_chains =
      container.shapes.has_value() && (!container.numbers.has_value() || !without_element.empty() ||
                                       (!container.endpoint.allow_spoofed_source_prefixes.empty() &&
                                        !IsPlanted(Fault::kPrefixesWithoutChains)));
  if (!needs_chains) {
    own_chains_.Remove(interface_name);
    return;
  }
  model::WorkloadEndpoint rest = container.endpoint;
  rest.addresses = std::move(without_element);
  own_chains_.Set(interface_name, rest, &*container.shapes);
}

// Rules come before elements, so an element that still bears a number whose shape is gone would
// lead nowhere for a moment. If all that bear it are to have one and the same shape, it leads
// there.
bool SharedLayout::SetAliases(Direction direction) {
  ShapeNumbers& numbers = numbers_[Index(direction)];
  std::map<std::uint32_t, std::optional<Shape>> wanted;
  for (const auto& [at, number] : std::exchange(adopted_[Index(direction)], {})) {
    const auto container = containers_.find(at.interface_name);
    if (!numbers.IsReserved(number) || container == containers_.end()) continue;
    // What is no element any more goes before the rules do.
    if (!container->second.elements.contains(at.address)) continue;
    const Shape& shape = (*container->second.shapes)[Index(direction)];
    const auto [known, is_new] = wanted.try_emplace(number, shape);
    if (!is_new && known->second != shape) known->second.reset();
  }
  std::map<std::uint32_t, Shape> aliases;
  for (auto& [number, shape] : wanted) {
    if (shape.has_value()) aliases.emplace(number, *std::move(shape));
  }
  const bool any = !aliases.empty();
  if (any) numbers.SetAliases(std::move(aliases));
  return any;
}

void SharedLayout::FlushNumbers(Direction direction) {
  const bool aliased =
      SetAliases(direction) || std::exchange(aliases_gone_[Index(direction)], false);
  const ShapeNumbers::Change change = numbers_[Index(direction)].Flush();
  for (const Shape& shape : change.came) rules_.AcquireShape(shape);
  for (const Shape& shape : change.went) rules_.ReleaseShape(shape);
  if (!change.empty() || aliased) RenderTree(direction);
}

void SharedLayout::RenderTree(Direction direction) {
  std::map<std::uint32_t, std::string> chains;
  for (const auto& [number, shape] : numbers_[Index(direction)].aliases()) {
    chains.emplace(number, shape.ChainName());
  }
  for (const auto& [number, shape] : numbers_[Index(direction)].shapes())
    chains.emplace(number, shape.ChainName());
  const auto tree = RenderShapeTree(direction, chains, marks_);
  const absl::btree_set<std::string> before = std::exchange(tree_[Index(direction)], {});
  for (const RenderContext& context : contexts_) {
    const auto key_of = [&](const std::string& name) {
      return ir::ChainKey{.family = context.family, .table = ir::Table::kMangle, .name = name};
    };
    for (const auto& [name, chain] : tree) {
      emitter_.SetChain(key_of(name), "shapes by number", chain);
      tree_[Index(direction)].insert(name);
    }
    for (const std::string& name : before) {
      if (!tree.contains(name)) emitter_.RemoveChain(key_of(name), "shapes by number");
    }
  }
}

void SharedLayout::Flush() {
  // Numbers that stay in use are taken before their former users let go, and what waits has its
  // turn when all others have theirs.
  for (const std::string& name : dirty_) {
    Container& container = containers_.at(name);
    const auto has_number = [&](Direction direction) {
      const auto& shapes = *container.shapes;
      return numbers_[Index(direction)].Has(shapes[Index(direction)]);
    };
    if (container.shapes.has_value() && has_number(Direction::kIngress) &&
        has_number(Direction::kEgress)) {
      TakeNumbers(name, container);
    }
  }
  for (const Pair& pair : std::exchange(released_, {})) {
    for (const Direction direction : kDirections) {
      numbers_[Index(direction)].Release(pair[Index(direction)]);
    }
  }
  for (const std::string& name : dirty_) TakeNumbers(name, containers_.at(name));
  const absl::btree_set<std::string> waiting = waiting_;
  for (const std::string& name : waiting) {
    TakeNumbers(name, containers_.at(name));
    if (!waiting_.contains(name)) dirty_.insert(name);
  }
  for (const std::string& name : std::exchange(dirty_, {})) Settle(name);
  own_chains_.Flush();
  for (const Direction direction : kDirections) FlushNumbers(direction);
}

bool SharedLayout::OnApplied() {
  bool more = !lingering_.empty();
  dirty_.merge(std::exchange(lingering_, {}));
  for (const Direction direction : kDirections) {
    aliases_gone_[Index(direction)] =
        numbers_[Index(direction)].OnApplied() || aliases_gone_[Index(direction)];
    more = more || aliases_gone_[Index(direction)];
  }
  if (std::exchange(policies_gone_, false)) {
    for (ShapeNumbers& numbers : numbers_) {
      for (const std::uint32_t number : numbers.Droppable()) {
        if (!rules_.IsOutdated(numbers.shapes().at(number))) continue;
        numbers.Drop(number);
        more = true;
      }
    }
  }
  if (more) return true;
  // Asked of each one, since they differ in what they lack.
  return std::any_of(waiting_.begin(), waiting_.end(), [&](const std::string& name) {
    const ContainerShapes& shapes = *containers_.at(name).shapes;
    return std::all_of(kDirections.begin(), kDirections.end(), [&](Direction direction) {
      return numbers_[Index(direction)].CanAcquire(shapes[Index(direction)]);
    });
  });
}

void SharedLayout::DropIdle() {
  for (ShapeNumbers& numbers : numbers_) numbers.DropIdle();
}

}  // namespace felix::compiler
