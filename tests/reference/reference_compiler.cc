// SPDX-License-Identifier: Apache-2.0
#include "tests/reference/reference_compiler.h"

#include <algorithm>
#include <map>
#include <set>

#include "compiler/chain_renderer.h"
#include "compiler/host_renderer.h"
#include "compiler/nat_renderer.h"
#include "compiler/shape_tree.h"
#include "compiler/validation.h"
#include "tests/reference/reference_shapes.h"

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

void AddNets(const std::vector<model::Cidr>& nets, model::IpFamily family, ir::AddressSet& set) {
  for (const model::Cidr& net : nets) {
    if (net.family() == family) set.members.insert({.net = net, .protocol = {}, .port = 0});
  }
}

// What an endpoint brings to a set whose selector matches it.
void AddEndpoint(const compiler::SetDefinition& definition,
                 const std::vector<model::IpAddress>& addresses,
                 const std::vector<model::NamedPort>& ports, model::IpFamily family,
                 ir::AddressSet& set) {
  for (const model::IpAddress& address : addresses) {
    if (definition.kind == ir::SetKind::kNet) {
      AddNets({model::Cidr::Host(address)}, family, set);
      continue;
    }
    for (const model::NamedPort& port : ports) {
      const model::Protocol wanted = definition.port_protocol;
      if (port.name != definition.port_name || address.family() != family) continue;
      if (wanted.number != 0 && wanted != port.protocol) continue;
      set.members.insert(
          {.net = model::Cidr::Host(address), .protocol = port.protocol, .port = port.port});
    }
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
    AddEndpoint(definition, endpoint.addresses, endpoint.ports, family, set);
  }
  for (const auto& [id, endpoint] : store.host_endpoints()) {
    if (!definition.selector->Matches(Effective(store, endpoint.labels, endpoint.profiles)))
      continue;
    AddEndpoint(definition, endpoint.expected_addresses, endpoint.ports, family, set);
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
                 const ShapesByNumber& numbers, ir::DesiredState& state)
      : store_(store), context_(context), numbers_(numbers), state_(state) {}

  void Compile() {
    const compiler::HostLayout hosts = LayoutOf(store_, context_.options);
    for (const auto& [key, chain] :
         compiler::RenderStaticChains(context_, compiler::TraitsOf(hosts))) {
      state_.chains[key] = chain;
    }
    for (const auto& [key, rules] : compiler::RenderHooks(context_)) state_.hooks[key] = rules;
    compiler::RenderTranslations(TranslationsOf(store_, context_.options, context_.family),
                                 context_, state_);
    CompileWorkloads();
    CompileHosts(hosts);
    for (const auto& [id, definition] : sets_) {
      state_.sets[{.family = context_.family, .id = id}] =
          FillSet(store_, context_.options, definition, context_.family);
    }
  }

 private:
  void CompileHosts(const compiler::HostLayout& hosts) {
    const ir::DesiredState rendered = compiler::RenderHostEndpoints(hosts, context_);
    for (const auto& [key, chain] : rendered.chains) state_.chains[key] = chain;
    for (const auto& [key, rules] : rendered.hooks) state_.hooks[key] = rules;
    for (const auto& [name, policies] : hosts.interfaces) {
      for (const compiler::Shape& shape : policies.shapes) CompileShape(shape);
    }
    if (!hosts.wildcard.has_value()) return;
    for (const compiler::Shape& shape : hosts.wildcard->shapes) CompileShape(shape);
  }

  void CompileWorkloads() {
    const auto local = LocalByInterface(store_, context_.options);
    for (const auto& [name, endpoint] : local) {
      for (const model::IpAddress& address : endpoint.addresses) {
        if (address.family() != context_.family) continue;
        state_.local_addresses.insert({name, address});
      }
    }
    if (IsShared()) {
      CompileElements(local);
    } else {
      CompileChains(local, compiler::ShapeKind::kWorkload);
    }
  }

  [[nodiscard]] bool IsShared() const {
    return context_.options.chain_layout == compiler::ChainLayout::kShared;
  }

  static std::size_t Index(Direction direction) { return direction == Direction::kIngress ? 0 : 1; }

  [[nodiscard]] compiler::Shape ShapeOfWorkload(const model::WorkloadEndpoint& endpoint,
                                                compiler::ShapeKind kind,
                                                Direction direction) const {
    return ShapeOf(store_, context_.options, endpoint.labels, endpoint.profiles, kind, direction);
  }

  // Elements for what they can tell, chains for what they cannot.
  void CompileElements(const std::map<std::string, model::WorkloadEndpoint>& local) {
    constexpr auto kKind = compiler::ShapeKind::kSharedWorkload;
    constexpr std::size_t kMostSharers = 32;
    std::map<model::IpAddress, std::set<std::string>> sharers;
    for (const auto& [name, endpoint] : local) {
      if (!endpoint.admin_up) continue;
      for (const model::IpAddress& address : endpoint.addresses) sharers[address].insert(name);
    }
    const auto is_crowded_out = [&](const std::string& name, const model::IpAddress& address) {
      const std::set<std::string>& all = sharers.at(address);
      const auto place = std::distance(all.begin(), all.find(name));
      return static_cast<std::size_t>(place) >= kMostSharers;
    };
    for (const Direction direction : {Direction::kIngress, Direction::kEgress}) {
      state_.mark_maps[{context_.family, compiler::ElementMapId(direction)}].mask =
          context_.marks.element();
    }
    std::map<std::string, model::WorkloadEndpoint> with_chains;
    for (const auto& [name, endpoint] : local) {
      if (!endpoint.admin_up) continue;
      std::map<Direction, std::uint32_t> values;
      for (const Direction direction : {Direction::kIngress, Direction::kEgress}) {
        const compiler::Shape shape = ShapeOfWorkload(endpoint, kKind, direction);
        for (const auto& [number, of_number] : numbers_[Index(direction)]) {
          if (of_number == shape) {
            values[direction] = context_.marks.known | context_.marks.ShapeBits(number);
          }
        }
      }
      if (values.size() < 2) {
        with_chains.emplace(name, endpoint);
        continue;
      }
      model::WorkloadEndpoint rest = endpoint;
      rest.addresses.clear();
      for (const model::IpAddress& address : endpoint.addresses) {
        if (is_crowded_out(name, address)) {
          rest.addresses.push_back(address);
          continue;
        }
        if (address.family() != context_.family) continue;
        for (const auto& [direction, value] : values) {
          state_.mark_maps[{context_.family, compiler::ElementMapId(direction)}]
              .values[{name, address}] = value;
        }
      }
      if (!rest.addresses.empty() || !rest.allow_spoofed_source_prefixes.empty()) {
        with_chains.emplace(name, rest);
      }
    }
    for (const Direction direction : {Direction::kIngress, Direction::kEgress}) {
      std::map<std::uint32_t, std::string> chains;
      for (const auto& [number, shape] : numbers_[Index(direction)]) {
        chains.emplace(number, shape.ChainName());
        CompileShape(shape);
      }
      for (const auto& [name, chain] :
           compiler::RenderShapeTree(direction, chains, context_.marks)) {
        Emit(ir::Table::kMangle, name, chain);
      }
    }
    CompileChains(with_chains, kKind);
  }

  void CompileChains(const std::map<std::string, model::WorkloadEndpoint>& local,
                     compiler::ShapeKind kind) {
    compiler::RenderContext context = context_;
    context.table = compiler::TableOf(kind);
    for (const Direction direction : {Direction::kIngress, Direction::kEgress}) {
      std::vector<std::string> names;
      std::set<compiler::Shape> shapes;
      for (const auto& [name, endpoint] : local) {
        names.push_back(name);
        std::string shape_chain;
        if (endpoint.admin_up) {
          const auto shape = ShapeOfWorkload(endpoint, kind, direction);
          shape_chain = shape.ChainName();
          shapes.insert(shape);
        }
        Emit(context.table, compiler::EndpointChainName(name, direction),
             compiler::RenderEndpoint(endpoint, direction, shape_chain, context));
      }
      std::map<std::string, ir::Chain> dispatch;
      CompileDispatch(names, "", direction, context, dispatch);
      compiler::PrependRefusable(context, dispatch.at(compiler::DispatchChainName(direction)));
      for (const auto& [name, chain] : dispatch) Emit(context.table, name, chain);
      for (const compiler::Shape& shape : shapes) CompileShape(shape);
    }
  }

  void Emit(ir::Table table, const std::string& name, const ir::Chain& chain) {
    state_.chains[{.family = context_.family, .table = table, .name = name}] = chain;
  }

  void CompileShape(const compiler::Shape& shape) {
    compiler::RenderContext context = context_;
    context.table = compiler::TableOf(shape.kind);
    Emit(context.table, shape.ChainName(), compiler::RenderShape(shape, context_));
    const bool ingress = shape.direction == Direction::kIngress;
    const auto policies = PoliciesInForce(store_, context_.options);
    for (const compiler::TierInForce& tier : shape.tiers) {
      for (const model::PolicyId& id : tier.policies) {
        const model::Policy& policy = policies.at(id);
        Emit(context.table, compiler::PolicyChainName(id, shape.direction),
             compiler::RenderPolicy(id, policy.tier, shape.direction,
                                    ingress ? policy.ingress : policy.egress, context, sets_));
      }
    }
    for (const std::string& name : shape.profiles) {
      const auto profile = store_.profiles().find(model::ProfileId{name});
      Emit(context.table, compiler::ProfileChainName(name, shape.direction),
           profile == store_.profiles().end()
               ? compiler::RenderDenyAll("profile/" + name + " does not exist", context)
               : compiler::RenderProfile(name, shape.direction,
                                         ingress ? profile->second.ingress : profile->second.egress,
                                         context, sets_));
    }
  }

  const model::Store& store_;
  const compiler::RenderContext& context_;
  const ShapesByNumber& numbers_;
  ir::DesiredState& state_;
  compiler::SetDefinitions sets_;
};

}  // namespace

ir::DesiredState Compile(const model::Store& store, const compiler::Options& options) {
  return Compile(store, options, {});
}

ir::DesiredState Compile(const model::Store& store, const compiler::Options& options,
                         const ShapesByNumber& numbers) {
  ir::DesiredState state;
  for (const model::IpFamily family : model::kIpFamilies) {
    if (family == model::IpFamily::kV6 && !options.ipv6_support) continue;
    const compiler::RenderContext context{
        .options = options,
        .marks = compiler::Marks::FromMask(options.mark_mask, options.chain_layout),
        .family = family};
    FamilyCompiler(store, context, numbers, state).Compile();
  }
  return state;
}

}  // namespace felix::reference
