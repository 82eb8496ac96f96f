// SPDX-License-Identifier: Apache-2.0
#include "felix/replay/lint.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "fmt/format.h"

#include "felix/json_line.h"

namespace felix::replay {
namespace {

class Linter {
 public:
  Linter(const Cluster& cluster, const Judge& judge) : cluster_(cluster), judge_(judge) {
    for (const Workload& workload : judge.book().workloads()) {
      endpoint_classes_.insert(workload.label_class);
      for (const model::NamedPort& port : workload.endpoint.ports) port_names_.insert(port.name);
    }
    for (const auto& [id, endpoint] : judge.store().host_endpoints()) {
      host_labels_.push_back(endpoint.labels);
      for (const model::NamedPort& port : endpoint.ports) port_names_.insert(port.name);
    }
  }

  std::vector<Finding> Run() {
    for (const auto& [id, refusal] : cluster_.refusals) {
      Add("refused", refusal.object.empty() ? refusal.origin : refusal.object,
          refusal.field.empty() ? refusal.reason
                                : fmt::format("{}: {}", refusal.field, refusal.reason));
    }
    for (const auto& [id, policy] : judge_.store().policies()) Policy(id, policy);
    for (const auto& [id, profile] : judge_.store().profiles()) {
      Rules(fmt::format("profile/{}", id.name), "ingress", profile.ingress);
      Rules(fmt::format("profile/{}", id.name), "egress", profile.egress);
    }
    Endpoints();
    std::sort(findings_.begin(), findings_.end());
    return std::move(findings_);
  }

 private:
  void Add(std::string check, std::string object, std::string message) {
    findings_.push_back({std::move(check), std::move(object), std::move(message)});
  }

  // Whether some workload, network set or host endpoint has such labels.
  bool SelectsSomebody(const model::Selector& selector) {
    const auto [known, is_new] = selects_.try_emplace(selector, false);
    if (!is_new) return known->second;
    const auto classes = static_cast<std::uint32_t>(judge_.book().label_classes().size());
    for (std::uint32_t i = 0; i < classes && !known->second; ++i) {
      known->second = selector.Matches(judge_.book().label_classes()[i]);
    }
    return known->second;
  }

  bool GovernsSomebody(const model::Selector& selector) {
    const auto& classes = judge_.book().label_classes();
    return std::any_of(endpoint_classes_.begin(), endpoint_classes_.end(),
                       [&](std::uint32_t number) { return selector.Matches(classes[number]); }) ||
           std::any_of(host_labels_.begin(), host_labels_.end(),
                       [&](const model::LabelSet& labels) { return selector.Matches(labels); });
  }

  void Policy(const model::PolicyId& id, const model::Policy& policy) {
    const std::string name = id.ToString();
    if (!judge_.store().tiers().contains(model::TierId{policy.tier})) {
      Add("missing-tier", name, fmt::format("tier {} is not there, so it comes last", policy.tier));
    }
    if (!GovernsSomebody(policy.selector)) {
      Add("no-effect", name, fmt::format("no endpoint is selected by {}", policy.selector.text()));
    }
    if (!policy.ingress_applies && !policy.ingress.empty()) {
      Add("no-effect", name, "it has ingress rules and does not apply to ingress");
    }
    if (!policy.egress_applies && !policy.egress.empty()) {
      Add("no-effect", name, "it has egress rules and does not apply to egress");
    }
    if (policy.ingress_applies) Rules(name, "ingress", policy.ingress);
    if (policy.egress_applies) Rules(name, "egress", policy.egress);
  }

  void Rules(const std::string& owner, std::string_view direction,
             const std::vector<model::PolicyRule>& rules) {
    for (std::size_t i = 0; i < rules.size(); ++i) {
      const std::string name = fmt::format("{} {}[{}]", owner, direction, i);
      Rule(name, rules[i]);
      for (std::size_t j = 0; j < i; ++j) {
        if (rules[j].action == model::RuleAction::kLog || !TakesAllOf(rules[j], rules[i])) continue;
        Add("shadowed", name, fmt::format("{}[{}] takes all that it would match", direction, j));
        break;
      }
    }
  }

  void Rule(const std::string& name, const model::PolicyRule& rule) {
    if (const std::string why = WhyNever(rule); !why.empty()) Add("never-matches", name, why);
    const std::pair<const model::EntityMatch&, std::string_view> sides[] = {
        {rule.source, "source"}, {rule.destination, "destination"}};
    for (const auto& [asked, side] : sides) {
      if (asked.selector && !SelectsSomebody(*asked.selector)) {
        Add("selects-nobody", name,
            fmt::format("{} selector {} selects nobody", side, asked.selector->text()));
      }
      for (const std::string& port : asked.ports.names) {
        if (port_names_.contains(port)) continue;
        Add("unknown-port", name, fmt::format("no endpoint has a port named {}", port));
      }
    }
  }

  void Endpoints() {
    std::map<std::string, std::size_t> missing;
    for (const Workload& workload : judge_.book().workloads()) {
      if (!workload.out_of_force.empty()) {
        Add("out-of-force", workload.id.ToString(), workload.out_of_force);
      }
      for (const std::string& name : workload.endpoint.profiles) {
        if (!judge_.book().profiles().contains(model::ProfileId{name})) ++missing[name];
      }
    }
    for (const auto& [name, count] : missing) {
      Add("missing-profile", fmt::format("profile/{}", name),
          fmt::format("{} endpoints name it and nobody made it, so it denies", count));
    }
  }

  const Cluster& cluster_;
  const Judge& judge_;
  std::set<std::uint32_t> endpoint_classes_;
  std::vector<model::LabelSet> host_labels_;
  absl::flat_hash_set<std::string> port_names_;
  absl::flat_hash_map<model::Selector, bool> selects_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> FindFaults(const Cluster& cluster, const Judge& judge) {
  return Linter(cluster, judge).Run();
}

Answer Lint(const Cluster& cluster, const Judge& judge, Output output) {
  const std::vector<Finding> findings = FindFaults(cluster, judge);
  const int status = findings.empty() ? kDone : kDiffers;
  if (output == Output::kJson) {
    JsonLine json;
    json.BeginObject();
    json.Field("schema", "felix-replay/lint/1");
    json.Key("findings").BeginArray();
    for (const Finding& finding : findings) {
      json.BeginObject();
      json.Field("check", finding.check);
      json.Field("object", finding.object);
      json.Field("message", finding.message);
      json.EndObject();
    }
    json.EndArray();
    json.EndObject();
    return {json.Text() + "\n", status};
  }
  std::string text;
  for (const Finding& finding : findings) {
    text += fmt::format("{:<16} {}: {}\n", finding.check, finding.object, finding.message);
  }
  text += fmt::format("{} findings\n", findings.size());
  return {std::move(text), status};
}

}  // namespace felix::replay
