// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"

#include "compiler/chain_renderer.h"
#include "compiler/emitter.h"
#include "compiler/set_members.h"
#include "compiler/shape.h"
#include "compiler/stats.h"

namespace felix::compiler {

// The shapes that local endpoints use, and through them the policies and profiles whose rules this
// host needs. All are counted by user: a chain is emitted with its first user and goes with its
// last. Tells SetMembers which sets the rendered rules name.
class ActiveRules {
 public:
  // Where the rules of a policy or profile are found at rendering time, if there are any.
  struct Lookup {
    std::function<std::optional<model::Policy>(const model::PolicyId&)> policy;
    std::function<std::optional<std::vector<model::PolicyRule>>(const std::string&, Direction)>
        profile;
  };

  ActiveRules(std::vector<RenderContext> contexts, Lookup lookup, SetMembers& members,
              Emitter& emitter, Stats& stats);

  // One more or one less endpoint uses the shape. Cheap; chains follow with Flush.
  void AcquireShape(const Shape& shape);
  void ReleaseShape(const Shape& shape);
  // Whether the shape names a policy that is not in force any more. Such a shape may be kept until
  // nothing in the kernel leads to it; meanwhile the policy's rules stay as they were.
  [[nodiscard]] bool IsOutdated(const Shape& shape) const;

  // The rules of this policy or profile changed, if anybody here uses them.
  void MarkPolicy(const model::PolicyId& id);
  void MarkProfile(const std::string& name);

  void Flush();

 private:
  // A policy or profile in one direction and table: one chain per family.
  using Owner = std::variant<model::PolicyId, std::string>;
  using OwnerKey = std::tuple<Owner, Direction, ir::Table>;
  struct Rendered {
    std::uint32_t users = 0;
    std::vector<std::vector<SetMembers::SetNumber>> sets;  // by context: those its rules name
  };

  void Mark(const Owner& owner);
  void Use(const OwnerKey& key, bool more);
  void UseAll(const Shape& shape, bool more);
  void FlushShape(const Shape& shape);
  void FlushRules(const OwnerKey& key);
  void RenderRules(const OwnerKey& key, Rendered& rendered);
  [[nodiscard]] ir::ChainKey ChainKeyOf(const OwnerKey& key, const RenderContext& context) const;

  std::vector<RenderContext> contexts_;
  Lookup lookup_;
  SetMembers& members_;
  Emitter& emitter_;
  Stats& stats_;
  absl::btree_map<Shape, std::uint32_t> shapes_;
  absl::btree_set<Shape> dirty_shapes_;
  absl::btree_map<OwnerKey, Rendered> rules_;
  absl::btree_set<OwnerKey> dirty_rules_;
};

}  // namespace felix::compiler
