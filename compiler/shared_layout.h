// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"

#include "compiler/container_chains.h"
#include "compiler/endpoint_layout.h"
#include "compiler/shape_numbers.h"

namespace felix::compiler {

// ChainLayout=Shared: a container is an element, for each of its addresses, in one map of addresses
// at interfaces for what it sends and one for what it receives. The element tells the number of its
// shape; a tree of rules leads from the number to the shape's chain. So a container of a shape that
// is known here comes and goes without a rule.
//
// What elements cannot tell has chains of its own, in the same table: containers that may send from
// whole networks, those whose shape got no number because all are taken, and addresses that too
// many interfaces share. They go back to elements when that becomes possible.
class SharedLayout final : public EndpointLayout {
 public:
  // The kernel keeps all interfaces of one address together, and the whole map fails when one
  // address has too many (hash:net,iface in net/netfilter/ipset).
  static constexpr std::size_t kMaxSharers = 32;

  using Adopted = std::array<AdoptedNumbers, 2>;  // by direction

  SharedLayout(std::vector<RenderContext> contexts, ActiveRules& rules, Emitter& emitter,
               Stats& stats);

  // As of ShapeNumbers; only before the first Flush.
  void Adopt(const Adopted& adopted);

  [[nodiscard]] ShapeKind shape_kind() const override { return ShapeKind::kSharedWorkload; }
  void Set(const std::string& interface_name, const model::WorkloadEndpoint& endpoint,
           const ContainerShapes* shapes) override;
  void Remove(const std::string& interface_name) override;
  void Flush() override;

  // As of ShapeNumbers. True if another Flush would have something to say.
  bool OnApplied();
  void DropIdle();
  // Shapes that name it will not come back.
  void NotePolicyGone() { policies_gone_ = true; }

  [[nodiscard]] const ShapeNumbers& numbers(Direction direction) const {
    return numbers_[Index(direction)];
  }
  // Containers whose shapes have no number, by interface.
  [[nodiscard]] const absl::btree_set<std::string>& without_number() const { return waiting_; }
  [[nodiscard]] std::size_t with_own_chains() const { return own_chains_.size(); }

 private:
  using Pair = std::array<std::uint32_t, 2>;  // of numbers, by direction
  struct Container {
    model::WorkloadEndpoint endpoint;
    std::optional<ContainerShapes> shapes;
    std::optional<Pair> numbers;
    absl::btree_set<model::IpAddress> elements;  // addresses that elements tell
  };

  void Hold(const std::string& interface_name, const Container& container, bool more);
  [[nodiscard]] bool IsCrowdedOut(const std::string& interface_name,
                                  const model::IpAddress& address) const;
  void TakeNumbers(const std::string& interface_name, Container& container);
  void Settle(const std::string& interface_name);
  void EmitElements(const std::string& interface_name, Container& container,
                    const absl::btree_set<model::IpAddress>& wanted);
  void EmitMark(const std::string& interface_name, const model::IpAddress& address,
                const std::optional<Pair>& numbers);
  [[nodiscard]] bool Concerns(const model::IpAddress& address) const;
  // True if there are any.
  bool SetAliases(Direction direction);
  void FlushNumbers(Direction direction);
  void RenderTree(Direction direction);

  std::vector<RenderContext> contexts_;
  Marks marks_;
  ActiveRules& rules_;
  Emitter& emitter_;
  std::array<ShapeNumbers, 2> numbers_;  // by direction
  ContainerChains own_chains_;
  absl::flat_hash_map<std::string, Container> containers_;  // by interface
  absl::flat_hash_map<model::IpAddress, absl::btree_set<std::string>> sharers_;
  absl::btree_set<std::string> dirty_;
  absl::btree_set<std::string> waiting_;
  std::vector<Pair> released_;
  // Containers that have elements now, and keep their chains until the kernel holds the elements.
  absl::btree_set<std::string> lingering_;
  std::array<std::map<ir::LocalAddress, std::uint32_t>, 2> adopted_;  // elements; until a Flush
  std::array<bool, 2> aliases_gone_ = {};
  bool policies_gone_ = false;                        // since the last OnApplied
  std::array<absl::btree_set<std::string>, 2> tree_;  // chains of the tree, by direction
};

}  // namespace felix::compiler
