// SPDX-License-Identifier: Apache-2.0
#include "felix/replay/explain.h"

#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "fmt/format.h"

#include "compiler/chain_renderer.h"
#include "compiler/names.h"
#include "felix/json_line.h"
#include "ipset/set_name.h"
#include "iptables/restore_text.h"
#include "model/base/status_macros.h"

namespace felix::replay {
namespace {

using ir::Direction;

struct Side {
  Direction direction = Direction::kIngress;
  const Workload* workload = nullptr;
  std::string address;
  SideDecision decision;
  std::vector<PolicyNote> notes;
  std::vector<std::string> kernel_rules;
};

std::string_view DirectionName(Direction direction) {
  return direction == Direction::kIngress ? "ingress" : "egress";
}

// What the deciding rule became in the kernel of its host.
std::vector<std::string> KernelRules(const Judge& judge, const Side& side, model::IpFamily family) {
  if (!side.decision.decided_by) return {};
  const ir::Provenance& from = *side.decision.decided_by;
  const compiler::Options& options = judge.OptionsOf(side.workload->id.host);
  const compiler::RenderContext context{options, compiler::Marks::FromMask(options.mark_mask),
                                        family, ir::Table::kFilter};
  compiler::SetDefinitions sets;
  std::string name;
  ir::Chain chain;
  constexpr std::string_view kProfile = "profile/";
  if (from.owner.starts_with(kProfile)) {
    const std::string profile_name = from.owner.substr(kProfile.size());
    const model::Profile& profile =
        judge.book().profiles().find(model::ProfileId{profile_name})->second;
    name = compiler::ProfileChainName(profile_name, side.direction);
    chain = compiler::RenderProfile(
        profile_name, side.direction,
        side.direction == Direction::kIngress ? profile.ingress : profile.egress, context, sets);
  } else if (const auto* entry = judge.FindPolicy(from.owner)) {
    const auto& [id, policy] = *entry;
    name = compiler::PolicyChainName(id, side.direction);
    chain = compiler::RenderPolicy(
        id, policy.tier, side.direction,
        side.direction == Direction::kIngress ? policy.ingress : policy.egress, context, sets);
  }
  std::vector<std::string> lines;
  for (const ir::Rule& rule : chain.rules) {
    if (rule.provenance.rule_index != from.rule_index) continue;
    lines.push_back(
        fmt::format("-A {} {}", name, iptables::RestoreRule(rule, family, ipset::KernelSetName)));
  }
  return lines;
}

std::string Decider(const Side& side) {
  const SideDecision& decision = side.decision;
  if (!decision.decided_by) return decision.reason;
  return fmt::format("{} {}[{}]", decision.decided_by->owner, DirectionName(side.direction),
                     decision.decided_by->rule_index);
}

std::string SideText(const Side& side) {
  std::string text = fmt::format("{} {} {}: {}, {}\n", DirectionName(side.direction),
                                 side.direction == Direction::kEgress ? "from" : "to",
                                 side.workload == nullptr ? side.address : NameOf(*side.workload),
                                 side.decision.allowed ? "allowed" : "denied", Decider(side));
  std::string tier;
  for (const PolicyNote& note : side.notes) {
    if (note.tier != tier || (note.tier.empty() && &note == side.notes.data())) {
      tier = note.tier;
      text += tier.empty() ? std::string("  profiles\n") : fmt::format("  tier {}\n", tier);
    }
    text += fmt::format("    {}\n", note.owner);
    for (const RuleNote& rule : note.rules) {
      text += fmt::format("      {} [{}] {}{}{}\n", rule.matches ? "+" : "-", rule.index, rule.rule,
                          rule.matches ? "" : ": ", rule.why_not);
    }
    if (!note.end.empty()) text += fmt::format("    {}\n", note.end);
  }
  for (const std::string& rule : side.kernel_rules) text += fmt::format("  kernel {}\n", rule);
  return text;
}

void WriteSide(const Side& side, JsonLine& json) {
  json.BeginObject();
  json.Field("direction", DirectionName(side.direction));
  json.Field("address", side.address);
  if (side.workload != nullptr) {
    json.Field("endpoint", side.workload->id.ToString());
    json.Field("host", side.workload->id.host);
  }
  json.Flag("allowed", side.decision.allowed);
  json.Field("reason", side.decision.reason);
  if (side.decision.decided_by) {
    json.Field("owner", side.decision.decided_by->owner);
    json.Field("index", static_cast<std::uint64_t>(side.decision.decided_by->rule_index));
  }
  json.Key("asked").BeginArray();
  for (const PolicyNote& note : side.notes) {
    json.BeginObject();
    json.Field("tier", note.tier);
    json.Field("owner", note.owner);
    json.Key("rules").BeginArray();
    for (const RuleNote& rule : note.rules) {
      json.BeginObject();
      json.Field("index", static_cast<std::uint64_t>(rule.index));
      json.Field("rule", rule.rule);
      json.Flag("matches", rule.matches);
      if (!rule.matches) json.Field("why_not", rule.why_not);
      json.EndObject();
    }
    json.EndArray();
    if (!note.end.empty()) json.Field("end", note.end);
    json.EndObject();
  }
  json.EndArray();
  json.Key("kernel_rules").BeginArray();
  for (const std::string& rule : side.kernel_rules) json.Element(rule);
  json.EndArray();
  json.EndObject();
}

std::string Text(const FlowEnds& ends, const Flow& flow, const std::vector<Side>& sides,
                 bool allowed) {
  const auto end_name = [](const Workload* workload, const AddressInfo& info) {
    const std::string address = info.address.ToString();
    return workload == nullptr ? address : fmt::format("{} {}", workload->id.workload, address);
  };
  std::string what = flow.protocol.ToString();
  if (flow.protocol.HasPorts()) {
    what += fmt::format("/{}", flow.destination_port);
  } else if (flow.protocol == model::kIcmp || flow.protocol == model::kIcmpV6) {
    what += fmt::format(" type {} code {}", flow.icmp_type, flow.icmp_code);
  }
  std::string text =
      fmt::format("{}: {} -> {} {}\n", allowed ? "ALLOWED" : "DENIED",
                  end_name(ends.from, ends.source), end_name(ends.to, ends.destination), what);
  for (const Side& side : sides) text += SideText(side);
  return text;
}

}  // namespace

absl::StatusOr<Answer> Explain(const Judge& judge, const FlowRequest& request, Output output) {
  FELIX_ASSIGN_OR_RETURN(const Flow flow, ParseFlow(request));
  FELIX_ASSIGN_OR_RETURN(const End from, FindEnd(judge.book(), request.from));
  FELIX_ASSIGN_OR_RETURN(const End to, FindEnd(judge.book(), request.to));
  const std::optional<FlowEnds> joined = Join(judge.book(), from, to);
  if (!joined) {
    return absl::InvalidArgumentError(
        fmt::format("{} and {} have no addresses of one family", request.from, request.to));
  }
  const FlowEnds& ends = *joined;
  Side egress{Direction::kEgress, ends.from, ends.source.address.ToString(), {}, {}, {}};
  egress.decision = judge.AskEgress(ends, flow, &egress.notes);
  Side ingress{Direction::kIngress, ends.to, ends.destination.address.ToString(), {}, {}, {}};
  ingress.decision = judge.AskIngress(ends, flow, &ingress.notes);
  std::vector<Side> sides = {std::move(egress), std::move(ingress)};
  bool allowed = true;
  for (Side& side : sides) {
    allowed = allowed && side.decision.allowed;
    side.kernel_rules = KernelRules(judge, side, ends.source.address.family());
  }
  const int status = allowed ? kDone : kDiffers;
  const std::array<const Workload*, 2> workloads = {ends.from, ends.to};
  const bool leaves_out = judge.LeavesOutHostEndpoints(workloads);
  if (output == Output::kText) {
    std::string text = Text(ends, flow, sides, allowed);
    if (leaves_out) text += kHostEndpointsNote;
    return Answer{std::move(text), status};
  }
  JsonLine json;
  json.BeginObject();
  json.Field("schema", "felix-replay/explain/1");
  json.Flag("allowed", allowed);
  json.Field("source", ends.source.address.ToString());
  json.Field("destination", ends.destination.address.ToString());
  json.Field("protocol", flow.protocol.ToString());
  json.Field("port", static_cast<std::uint64_t>(flow.destination_port));
  json.Key("sides").BeginArray();
  for (const Side& side : sides) WriteSide(side, json);
  json.EndArray();
  if (leaves_out) json.Flag("host_endpoints_not_asked", true);
  json.EndObject();
  return Answer{json.Text() + "\n", status};
}

}  // namespace felix::replay
