// SPDX-License-Identifier: Apache-2.0
#include "tests/reference/reference_compiler.h"

#include <algorithm>
#include <map>
#include <set>

#include "compiler/chain_renderer.h"
#include "compiler/nat_renderer.h"
#include "compiler/policy_order.h"
#include "compiler/validation.h"

namespace felix::reference {
namespace {

using compiler::Direction;

// The workload endpoints that count, by id.
std::map<model::WorkloadEndpointId, model::WorkloadEndpoint> ValidEndpoints(
    const model::Store& store, const compiler::Options& options) {
  std::map<model::WorkloadEndpointId, model::WorkloadEndpoint> valid;
  for (const auto& [id, endpoint] : store.endpoints()) {
    if (compiler::WhyAbsent(id, endpoint, options).empty()) valid.emplace(id, endpoint);
  }
  return valid;
}

// The endpoint that has each local interface: the smallest id that claims it.
std::map<std::string, model::WorkloadEndpoint> LocalByInterface(const model::Store& store,
                                                                const compiler::Options& options) {
  std::map<std::string, model::WorkloadEndpoint> local;
  for (const auto& [id, endpoint] : ValidEndpoints(store, options)) {
    if (id.host == options.hostname) local.emplace(endpoint.interface_name, endpoint);
  }
  return local;
}

model::LabelSet Effective(const model::Store& store, model::LabelSet labels,
                          const std::vector<std::string>& profiles) {
  for (const std::string& name : profiles) {
    const auto profile = store.profiles().find(model::ProfileId{name});
    if (profile != store.profiles().end()) labels.Inherit(profile->second.labels_to_apply);
  }
  return labels;
}

std::map<model::PolicyId, model::Policy> PoliciesInForce(const model::Store& store,
                                                         const compiler::Options& options) {
  std::map<model::PolicyId, model::Policy> policies;
  for (const auto& [id, policy] : store.policies()) {
    if (compiler::GovernsWorkloads(id, policy)) policies.emplace(id, policy);
  }
  if (options.invalid_policy_action != compiler::InvalidPolicyAction::kDrop) return policies;
  for (const auto& [id, broken] : store.broken_policies()) {
    const auto stand_in = compiler::DenyingStandIn(broken);
    if (!model::IsStaged(id.kind) && stand_in.has_value()) policies.emplace(id, *stand_in);
  }
  return policies;
}

compiler::Shape ShapeOf(const model::Store& store, const compiler::Options& options,
                        const model::WorkloadEndpoint& endpoint, Direction direction) {
  const model::LabelSet labels = Effective(store, endpoint.labels, endpoint.profiles);
  std::vector<std::pair<compiler::PolicyPosition, model::PolicyId>> matching;
  for (const auto& [id, policy] : PoliciesInForce(store, options)) {
    const bool applies =
        direction == Direction::kIngress ? policy.ingress_applies : policy.egress_applies;
    if (!applies || !policy.selector.Matches(labels)) continue;
    const auto tier = store.tiers().find(model::TierId{policy.tier});
    matching.emplace_back(
        compiler::PositionOf(id, policy.tier, policy.order,
                             tier == store.tiers().end() ? nullptr : &tier->second),
        id);
  }
  std::sort(matching.begin(), matching.end());
  compiler::Shape shape{.direction = direction, .tiers = {}, .profiles = endpoint.profiles};
  for (const auto& [position, id] : matching) {
    if (shape.tiers.empty() || shape.tiers.back().name != position.tier) {
      const auto tier = store.tiers().find(model::TierId{position.tier});
      shape.tiers.push_back({.name = position.tier,
                             .default_action = compiler::DefaultActionOf(
                                 tier == store.tiers().end() ? nullptr : &tier->second),
                             .policies = {}});
    }
    shape.tiers.back().policies.push_back(id);
  }
  return shape;
}

void AddNets(const std::vector<model::Cidr>& nets, model::IpFamily family, ir::AddressSet& set) {
  for (const model::Cidr& net : nets) {
    if (net.family() == family) set.members.insert({.net = net, .protocol = {}, .port = 0});
  }
}

ir::AddressSet FillSet(const model::Store& store, const compiler::Options& options,
                       const compiler::SetDefinition& definition, model::IpFamily family) {
  ir::AddressSet set;
  set.kind = definition.kind;
  if (!definition.selector.has_value()) {
    AddNets(definition.literal, family, set);
    return set;
  }
  for (const auto& [id, endpoint] : ValidEndpoints(store, options)) {
    if (!definition.selector->Matches(Effective(store, endpoint.labels, endpoint.profiles)))
      continue;
    for (const model::IpAddress& address : endpoint.addresses) {
      if (definition.kind == ir::SetKind::kNet) {
        AddNets({model::Cidr::Host(address)}, family, set);
        continue;
      }
      for (const model::NamedPort& port : endpoint.ports) {
        const model::Protocol wanted = definition.port_protocol;
        if (port.name != definition.port_name || address.family() != family) continue;
        if (wanted.number != 0 && wanted != port.protocol) continue;
        set.members.insert(
            {.net = model::Cidr::Host(address), .protocol = port.protocol, .port = port.port});
      }
    }
  }
  for (const auto& [id, network_set] : store.network_sets()) {
    if (definition.kind != ir::SetKind::kNet) break;
    if (definition.selector->Matches(Effective(store, network_set.labels, network_set.profiles))) {
      AddNets(network_set.nets, family, set);
    }
  }
  return set;
}

// All interfaces below a prefix, in one chain per prefix that more than kMaxLeaves names share.
void CompileDispatch(const std::vector<std::string>& names, const std::string& prefix,
                     Direction direction, const compiler::RenderContext& context,
                     std::map<std::string, ir::Chain>& chains) {
  std::map<char, std::vector<std::string>> by_next;
  std::vector<std::string> here;
  for (const std::string& name : names) {
    if (name.size() == prefix.size()) {
      here.push_back(name);
    } else {
      by_next[name[prefix.size()]].push_back(name);
    }
  }
  std::vector<std::string> subtrees;
  for (const auto& [next, group] : by_next) {
    if (group.size() <= 12) {
      here.insert(here.end(), group.begin(), group.end());
      continue;
    }
    subtrees.push_back(prefix + next);
    CompileDispatch(group, subtrees.back(), direction, context, chains);
  }
  std::sort(here.begin(), here.end());
  const std::string name = prefix.empty() ? compiler::DispatchChainName(direction)
                                          : compiler::DispatchSubtreeName(direction, prefix);
  chains[name] = compiler::RenderDispatch(direction, here, subtrees, context);
}

// The smallest text, as everybody in the cluster settles it.
model::IpAddress Smallest(const std::set<std::string>& texts) {
  return *model::IpAddress::Parse(*texts.begin());
}

compiler::Translations TranslationsOf(const model::Store& store, const compiler::Options& options,
                                      model::IpFamily family) {
  compiler::Translations translations;
  std::map<model::Cidr, model::IpPool> by_range;
  for (const auto& [id, pool] : store.ip_pools()) by_range.emplace(pool.cidr, pool);
  for (const auto& [range, pool] : by_range) {
    if (range.family() != family) continue;
    if (!pool.load_balancer_only) translations.pools.insert(range);
    if (pool.nat_outgoing) translations.masquerading.insert(range);
  }
  for (const auto& [id, node] : store.nodes()) {
    for (const model::IpAddress& address : node.addresses) {
      if (address.family() == family) translations.hosts.insert(model::Cidr::Host(address));
    }
  }
  std::map<model::IpAddress, std::set<std::string>> internals;
  std::map<model::IpAddress, std::set<std::string>> externals;
  for (const auto& [id, endpoint] : ValidEndpoints(store, options)) {
    if (id.host != options.hostname) continue;
    if (!options.floating_ips_enabled && id.orchestrator != "openstack") continue;
    for (const model::NatMapping& mapping : endpoint.nat_mappings) {
      if (mapping.internal.family() != family) continue;
      internals[mapping.external].insert(mapping.internal.ToString());
      externals[mapping.internal].insert(mapping.external.ToString());
    }
  }
  for (const auto& [external, texts] : internals) {
    translations.internal_of.emplace(external, Smallest(texts));
  }
  for (const auto& [internal, texts] : externals) {
    translations.external_of.emplace(internal, Smallest(texts));
  }
  return translations;
}

class FamilyCompiler {
 public:
  FamilyCompiler(const model::Store& store, const compiler::RenderContext& context,
                 ir::DesiredState& state)
      : store_(store), context_(context), state_(state) {}

  void Compile() {
    for (const auto& [name, chain] : compiler::RenderStaticChains(context_)) Emit(name, chain);
    for (const auto& [key, rules] : compiler::RenderHooks(context_)) state_.hooks[key] = rules;
    compiler::RenderTranslations(TranslationsOf(store_, context_.options, context_.family),
                                 context_, state_);
    const auto local = LocalByInterface(store_, context_.options);
    for (const Direction direction : {Direction::kIngress, Direction::kEgress}) {
      std::vector<std::string> names;
      std::set<compiler::Shape> shapes;
      for (const auto& [name, endpoint] : local) {
        names.push_back(name);
        std::string shape_chain;
        if (endpoint.admin_up) {
          const auto shape = ShapeOf(store_, context_.options, endpoint, direction);
          shape_chain = shape.ChainName();
          shapes.insert(shape);
        }
        Emit(compiler::EndpointChainName(name, direction),
             compiler::RenderEndpoint(endpoint, direction, shape_chain, context_));
      }
      std::map<std::string, ir::Chain> dispatch;
      CompileDispatch(names, "", direction, context_, dispatch);
      for (const auto& [name, chain] : dispatch) Emit(name, chain);
      for (const compiler::Shape& shape : shapes) CompileShape(shape);
    }
    for (const auto& [id, definition] : sets_) {
      state_.sets[{.family = context_.family, .id = id}] =
          FillSet(store_, context_.options, definition, context_.family);
    }
  }

 private:
  void Emit(const std::string& name, const ir::Chain& chain) {
    state_.chains[{.family = context_.family, .table = ir::Table::kFilter, .name = name}] = chain;
  }

  void CompileShape(const compiler::Shape& shape) {
    Emit(shape.ChainName(), compiler::RenderShape(shape, context_));
    const bool ingress = shape.direction == Direction::kIngress;
    const auto policies = PoliciesInForce(store_, context_.options);
    for (const compiler::TierInForce& tier : shape.tiers) {
      for (const model::PolicyId& id : tier.policies) {
        const model::Policy& policy = policies.at(id);
        Emit(compiler::PolicyChainName(id, shape.direction),
             compiler::RenderPolicy(id, policy.tier, ingress ? policy.ingress : policy.egress,
                                    context_, sets_));
      }
    }
    for (const std::string& name : shape.profiles) {
      const auto profile = store_.profiles().find(model::ProfileId{name});
      Emit(compiler::ProfileChainName(name, shape.direction),
           profile == store_.profiles().end()
               ? compiler::RenderDenyAll("profile/" + name + " does not exist", context_)
               : compiler::RenderProfile(name,
                                         ingress ? profile->second.ingress : profile->second.egress,
                                         context_, sets_));
    }
  }

  const model::Store& store_;
  const compiler::RenderContext& context_;
  ir::DesiredState& state_;
  compiler::SetDefinitions sets_;
};

}  // namespace

ir::DesiredState Compile(const model::Store& store, const compiler::Options& options) {
  ir::DesiredState state;
  for (const model::IpFamily family : model::kIpFamilies) {
    if (family == model::IpFamily::kV6 && !options.ipv6_support) continue;
    const compiler::RenderContext context{.options = options,
                                          .marks = compiler::Marks::FromMask(options.mark_mask),
                                          .family = family};
    FamilyCompiler(store, context, state).Compile();
  }
  return state;
}

}  // namespace felix::reference
