// SPDX-License-Identifier: Apache-2.0
#include "compiler/graph.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"

#include "compiler/active_rules.h"
#include "compiler/chain_renderer.h"
#include "compiler/container_chains.h"
#include "compiler/emitter.h"
#include "compiler/fault.h"
#include "compiler/host_endpoints.h"
#include "compiler/local_endpoints.h"
#include "compiler/policy_order.h"
#include "compiler/policy_resolver.h"
#include "compiler/pools.h"
#include "compiler/set_members.h"
#include "compiler/shared_layout.h"
#include "compiler/things.h"
#include "compiler/validation.h"
#include "model/base/overloaded.h"

namespace felix::compiler {

// The passes and their edges, top to bottom in the order of the flow:
//
//   update ─► things ──────────► set members ──────────────┐
//        │       │ labels            ▲ demand              ▼
//        ├─► local endpoints ─► active rules ─► emitter ─► delta
//        ├─► host endpoints ──────┘  ▲ rules
//        │       ▲ ordered policies  │                     ▲
//        ├─► policy resolver ────────┘                     │
//        └─► pools ────────────────────────────────────────┘
class Graph::Wiring {
 public:
  Wiring(Options options, const model::Store& store, Stats& stats)
      : options_(std::move(options)),
        store_(store),
        stats_(stats),
        contexts_(MakeContexts()),
        members_(stats),
        things_(members_),
        resolver_(stats),
        emitter_(emitted_, stats),
        rules_(contexts_, MakeLookup(), members_, emitter_, stats),
        layout_(MakeLayout()),
        endpoints_(contexts_, resolver_, *layout_, emitter_, stats),
        hosts_(contexts_, resolver_, rules_, emitter_, stats),
        pools_(contexts_, stats) {
    for (const RenderContext& context : contexts_) {
      for (auto& [key, chain] : RenderStaticChains(context)) {
        emitter_.SetChain(key, "static", std::move(chain));
      }
      for (auto& [key, rules] : RenderHooks(context)) emitter_.SetHook(key, rules);
    }
  }

  // The store already holds the new value; `number` is what it knows an endpoint by.
  void OnUpdate(const model::Update& update, std::uint32_t number) {
    std::visit(
        Overloaded{
            [&](const model::WorkloadEndpointId& id) {
              OnEndpoint(id, number, ValueIn<model::WorkloadEndpoint>(update));
            },
            [&](const model::PolicyId& id) {
              OnPolicy(id, ValueIn<model::Policy>(update), ValueIn<model::BrokenPolicy>(update));
            },
            [&](const model::TierId& id) { OnTier(id); },
            [&](const model::ProfileId& id) { OnProfile(id, ValueIn<model::Profile>(update)); },
            [&](const model::NetworkSetId& id) {
              OnNetworkSet(id, ValueIn<model::NetworkSet>(update));
            },
            [](const model::ConfigId&) {},
            [&](const model::IpPoolId& id) { pools_.SetPool(id, Find(store_.ip_pools(), id)); },
            [&](const model::NodeId& id) { pools_.SetNode(id, Find(store_.nodes(), id)); },
            [&](const model::HostEndpointId& id) { OnHostEndpoint(id); },
            [&](const model::InterfaceId& id) {
              hosts_.SetInterface(id.name, Find(store_.interfaces(), id));
            },
        },
        update.key);
  }

  ir::DesiredDelta Flush() {
    const absl::btree_set<ClassId> dirty_classes = resolver_.TakeDirtyClasses();
    for (const ClassId labels : dirty_classes) {
      const bool used = endpoints_.HasClass(labels) || hosts_.HasClass(labels);
      ++(used ? stats_.policy_resolver.emitted : stats_.policy_resolver.suppressed);
    }
    endpoints_.Flush(dirty_classes);
    hosts_.Flush(dirty_classes);
    rules_.Flush();
    ir::DesiredDelta delta;
    members_.Flush(delta);
    emitter_.Flush(delta);
    pools_.Flush(delta);
    ir::Apply(delta, emitted_);
    CountLabelIndexes();
    return delta;
  }

  // The indexes count since this wiring was made, the graph since it was made itself.
  void CountLabelIndexes() {
    PassStats now = earlier_label_index_;
    for (const PassStats* part : {&members_.label_index_stats(), &resolver_.label_index_stats()}) {
      now.updates_in += part->updates_in;
      now.recomputed += part->recomputed;
      now.emitted += part->emitted;
      now.suppressed += part->suppressed;
    }
    stats_.label_index = now;
  }

  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] SharedLayout* shared_layout() const { return shared_; }
  [[nodiscard]] ir::DesiredState& emitted() { return emitted_; }

  [[nodiscard]] std::vector<Unused> unused() const {
    std::vector<Unused> unused;
    for (const auto& [id, reason] : absent_)
      unused.push_back({"endpoint " + id.ToString(), reason});
    for (const auto& [id, winner] : endpoints_.Shadowed()) {
      unused.push_back(
          {"endpoint " + id.ToString(), "its interface belongs to endpoint " + winner.ToString()});
    }
    for (const auto& [id, reason] : hosts_.WithoutInterface()) {
      unused.push_back({"host endpoint " + id.ToString(), reason});
    }
    std::sort(unused.begin(), unused.end());
    return unused;
  }

 private:
  std::vector<RenderContext> MakeContexts() {
    const Marks marks = Marks::FromMask(options_.mark_mask, options_.chain_layout);
    std::vector<RenderContext> contexts;
    for (const model::IpFamily family : model::kIpFamilies) {
      if (family == model::IpFamily::kV6 && !options_.ipv6_support) continue;
      contexts.push_back({.options = options_, .marks = marks, .family = family});
    }
    return contexts;
  }

  // The seam between the layouts.
  std::unique_ptr<EndpointLayout> MakeLayout() {
    if (options_.chain_layout == ChainLayout::kPerContainer) {
      return std::make_unique<ContainerChains>(ShapeKind::kWorkload, contexts_, rules_, emitter_,
                                               stats_);
    }
    auto shared = std::make_unique<SharedLayout>(contexts_, rules_, emitter_, stats_);
    shared_ = shared.get();
    return shared;
  }

  ActiveRules::Lookup MakeLookup() {
    return {
        .policy = [this](const model::PolicyId& id) { return FindPolicy(id); },
        .profile = [this](const std::string& name,
                          Direction direction) -> std::optional<std::vector<model::PolicyRule>> {
          const auto found = store_.profiles().find(model::ProfileId{name});
          if (found == store_.profiles().end()) return std::nullopt;
          return direction == Direction::kIngress ? found->second.ingress : found->second.egress;
        },
    };
  }

  template <typename Value>
  static const Value* ValueIn(const model::Update& update) {
    return update.value.has_value() ? std::get_if<Value>(&*update.value) : nullptr;
  }

  template <typename Map>
  static const typename Map::mapped_type* Find(const Map& map, const typename Map::key_type& key) {
    const auto found = map.find(key);
    return found == map.end() ? nullptr : &found->second;
  }

  // The policy as it is in force, or none.
  std::optional<model::Policy> FindPolicy(const model::PolicyId& id) {
    if (const auto stand_in = stand_ins_.find(id); stand_in != stand_ins_.end()) {
      return stand_in->second;
    }
    const auto found = store_.policies().find(id);
    if (!IsInForce(id) || found == store_.policies().end()) return std::nullopt;
    return found->second;
  }

  void OnEndpoint(const model::WorkloadEndpointId& id, std::uint32_t number,
                  const model::WorkloadEndpoint* endpoint) {
    const std::string reason = endpoint != nullptr ? WhyAbsent(id, *endpoint, options_) : "";
    absent_.erase(id);
    if (!reason.empty()) {
      absent_.emplace(id, reason);
      endpoint = nullptr;
    }
    const bool local = id.host == options_.hostname;
    if (local) pools_.SetLocalEndpoint(id, endpoint);
    if (endpoint == nullptr) {
      things_.RemoveEndpoint(number);
      if (local) endpoints_.Remove(id);
      return;
    }
    things_.SetEndpoint(number, *endpoint);
    if (local) endpoints_.Set(id, *endpoint, things_.LabelsOfEndpoint(number));
  }

  void OnHostEndpoint(const model::HostEndpointId& id) {
    const model::HostEndpoint* endpoint = Find(store_.host_endpoints(), id);
    if (endpoint == nullptr) {
      things_.Remove(id);
      if (id.host == options_.hostname) hosts_.Remove(id);
      return;
    }
    things_.SetHostEndpoint(id, *endpoint);
    if (id.host == options_.hostname) hosts_.Set(id, *endpoint, things_.LabelsOf(id));
  }

  void OnPolicy(const model::PolicyId& id, const model::Policy* policy,
                const model::BrokenPolicy* broken) {
    stand_ins_.erase(id);
    if (!IsInForce(id)) policy = nullptr;
    if (broken != nullptr && !model::IsStaged(id.kind) &&
        options_.invalid_policy_action == InvalidPolicyAction::kDrop) {
      std::optional<model::Policy> stand_in = DenyingStandIn(*broken);
      if (stand_in.has_value()) policy = &(stand_ins_[id] = *std::move(stand_in));
    }
    resolver_.SetPolicy(id, policy);
    if (policy == nullptr && shared_ != nullptr) shared_->NotePolicyGone();
    rules_.MarkPolicy(id);
  }

  void OnTier(const model::TierId& id) {
    const auto found = store_.tiers().find(id);
    resolver_.SetTier(id, found == store_.tiers().end() ? nullptr : &found->second);
  }

  void OnProfile(const model::ProfileId& id, const model::Profile* profile) {
    const model::LabelSet labels =
        profile != nullptr ? profile->labels_to_apply : model::LabelSet();
    for (const std::uint32_t number : things_.SetProfileLabels(id.name, labels)) {
      const model::WorkloadEndpointId endpoint = store_.endpoints().KeyAt(number);
      if (endpoint.host != options_.hostname || IsPlanted(Fault::kProfileLabelsUnheard)) continue;
      endpoints_.Set(endpoint, store_.endpoints().at(endpoint), things_.LabelsOfEndpoint(number));
    }
    for (const model::HostEndpointId& host : hosts_.Listing(id.name)) {
      if (IsPlanted(Fault::kHostProfileLabelsUnheard)) break;
      hosts_.Set(host, store_.host_endpoints().at(host), things_.LabelsOf(host));
    }
    rules_.MarkProfile(id.name);
  }

  void OnNetworkSet(const model::NetworkSetId& id, const model::NetworkSet* set) {
    if (set == nullptr) {
      things_.Remove(id);
    } else {
      things_.SetNetworkSet(id, *set);
    }
  }

  const Options options_;
  const model::Store& store_;
  Stats& stats_;
  const PassStats earlier_label_index_ = stats_.label_index;
  std::vector<RenderContext> contexts_;
  ir::DesiredState emitted_;
  SetMembers members_;
  Things things_;
  PolicyResolver resolver_;
  Emitter emitter_;
  ActiveRules rules_;
  SharedLayout* shared_ = nullptr;  // the layout, if it is of that kind
  std::unique_ptr<EndpointLayout> layout_;
  LocalEndpoints endpoints_;
  HostEndpoints hosts_;
  Pools pools_;
  absl::btree_map<model::WorkloadEndpointId, std::string> absent_;
  absl::flat_hash_map<model::PolicyId, model::Policy> stand_ins_;
};

Graph::Graph(Options options)
    : wiring_(std::make_unique<Wiring>(std::move(options), store_, stats_)) {}

Graph::~Graph() = default;

void Graph::OnUpdates(std::span<const model::Update> updates) {
  store_.Expect(updates);
  for (const model::Update& update : updates) {
    ++stats_.store.updates_in;
    const model::Assignment assignment = store_.Set(update);
    if (!assignment.changed) {
      ++stats_.store.suppressed;
      continue;
    }
    ++stats_.store.recomputed;
    ++stats_.store.emitted;
    wiring_->OnUpdate(update, assignment.number);
  }
}

ir::DesiredDelta Graph::Flush() {
  ir::DesiredDelta delta = wiring_->Flush();
  if (!superseded_.has_value()) return delta;
  // The first flush after a rebuild started from nothing; the kernel did not.
  delta = ir::Diff(*superseded_, wiring_->emitted());
  superseded_.reset();
  return delta;
}

void Graph::SetOptions(Options options) {
  if (options == wiring_->options()) return;
  ++stats_.rebuilds;
  if (!superseded_.has_value()) superseded_ = std::move(wiring_->emitted());
  // Elements in the kernel bear numbers that go on meaning what they mean.
  std::array<AdoptedNumbers, 2> numbers;
  if (const SharedLayout* shared = wiring_->shared_layout(); shared != nullptr) {
    for (const Direction direction : kDirections) {
      numbers[Index(direction)].by_chain = shared->numbers(direction).ByChain();
    }
  }
  wiring_ = std::make_unique<Wiring>(std::move(options), store_, stats_);
  AdoptShapeNumbers(numbers);
  store_.ForEach([this](const model::Update& update) {
    const auto* endpoint = std::get_if<model::WorkloadEndpointId>(&update.key);
    wiring_->OnUpdate(update, endpoint == nullptr ? 0 : store_.endpoints().NumberOf(*endpoint));
  });
}

void Graph::AdoptShapeNumbers(const std::array<AdoptedNumbers, 2>& by_direction) {
  SharedLayout* shared = wiring_->shared_layout();
  if (shared != nullptr) shared->Adopt(by_direction);
}

bool Graph::OnApplied() {
  SharedLayout* shared = wiring_->shared_layout();
  return shared != nullptr && shared->OnApplied();
}

void Graph::DropIdleShapes() {
  SharedLayout* shared = wiring_->shared_layout();
  if (shared != nullptr) shared->DropIdle();
}

bool Graph::has_idle_shapes() const {
  const SharedLayout* shared = wiring_->shared_layout();
  return shared != nullptr && std::any_of(kDirections.begin(), kDirections.end(), [&](auto way) {
           return shared->numbers(way).idle() > 0;
         });
}

const std::map<std::uint32_t, Shape>& Graph::shapes_by_number(Direction direction) const {
  static const std::map<std::uint32_t, Shape> kNone;
  const SharedLayout* shared = wiring_->shared_layout();
  return shared == nullptr ? kNone : shared->numbers(direction).shapes();
}

LayoutReport Graph::layout_report() const {
  LayoutReport report;
  const SharedLayout* shared = wiring_->shared_layout();
  if (shared == nullptr) return report;
  for (const Direction direction : kDirections) {
    const ShapeNumbers& numbers = shared->numbers(direction);
    report.shapes[Index(direction)] = numbers.shapes().size();
    report.idle_shapes[Index(direction)] = numbers.idle();
    report.most_shapes = numbers.count();
  }
  report.without_number.assign(shared->without_number().begin(), shared->without_number().end());
  report.with_own_chains = shared->with_own_chains();
  return report;
}

const Options& Graph::options() const {
  return wiring_->options();
}
const model::Store& Graph::store() const {
  return store_;
}
const ir::DesiredState& Graph::desired() const {
  return superseded_.has_value() ? *superseded_ : wiring_->emitted();
}
std::vector<Unused> Graph::unused() const {
  return wiring_->unused();
}
const Stats& Graph::stats() const {
  return stats_;
}

}  // namespace felix::compiler
