// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <map>
#include <random>
#include <string>

#include "gtest/gtest.h"

#include "datastore/v3_decoder.h"
#include "model/policy.h"

namespace felix::datastore {
namespace {

// A sound policy whose one rule has a condition of every sort.
constexpr std::string_view kYaml = R"(apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata:
  name: p
spec:
  tier: default
  order: 10
  selector: role == 'db'
  types: [Ingress]
  ingress:
  - action: Allow
    protocol: TCP
    source:
      selector: app == 'web'
      nets: [10.0.0.0/8]
    destination:
      ports: [80, "90:95"]
)";

constexpr std::string_view kJson = R"({"apiVersion": "projectcalico.org/v3",
 "kind": "GlobalNetworkPolicy", "metadata": {"name": "p"},
 "spec": {"tier": "default", "order": 10, "selector": "role == 'db'", "types": ["Ingress"],
  "ingress": [{"action": "Allow", "protocol": "TCP",
    "source": {"selector": "app == 'web'", "nets": ["10.0.0.0/8"]},
    "destination": {"ports": [80, "90:95"]}}]}}
)";

std::string Mutate(std::string_view text, std::mt19937& random) {
  std::string mutated(text);
  const int edits = 1 + static_cast<int>(random() % 3);
  for (int i = 0; i < edits; ++i) {
    const std::size_t at = random() % mutated.size();
    char byte = static_cast<char>(random() % 256);
    // A comment sign takes a condition out for good reason.
    if (byte == '#') byte = '%';
    switch (random() % 4) {
      case 0:
        mutated[at] = byte;
        break;
      case 1:
        mutated.insert(at, 1, byte);
        break;
      case 2:
        mutated.erase(at, 1);
        break;
      default:
        mutated.erase(at);
        break;
    }
    if (mutated.empty()) mutated = " ";
  }
  return mutated;
}

// A rule keeps the number of its conditions whatever their values: none may be lost on the way.
bool HasAllConditions(const model::PolicyRule& rule) {
  const bool selects = rule.source.selector.has_value() || rule.source.not_selector.has_value();
  const bool has_nets = !rule.source.nets.empty() || !rule.source.not_nets.empty();
  const bool has_protocol = rule.protocol.has_value() || rule.not_protocol.has_value();
  const bool has_ports =
      rule.destination.ports.ranges.size() + rule.destination.ports.names.size() +
          rule.destination.not_ports.ranges.size() + rule.destination.not_ports.names.size() >
      0;
  return selects && has_nets && has_protocol && has_ports;
}

struct Outcome {
  int faults = 0;
  int refused = 0;
  int in_force = 0;
  int lost_conditions = 0;
};

// A cut can leave a sound text that says less. Only a text that still names every condition can be
// judged by whether its rule has them all.
bool NamesEveryField(const std::string& text) {
  const std::string_view fields[] = {"protocol",    "source", "selector: app", "nets",
                                     "destination", "ports",  "ingress"};
  const std::string_view json_fields[] = {"\"protocol\"", "\"source\"",      "\"selector\": \"app",
                                          "\"nets\"",     "\"destination\"", "\"ports\"",
                                          "\"ingress\""};
  const bool is_json = text.find('{') == 0;
  const auto has = [&](std::string_view field) { return text.find(field) != std::string::npos; };
  return is_json ? std::all_of(std::begin(json_fields), std::end(json_fields), has)
                 : std::all_of(std::begin(fields), std::end(fields), has);
}

void Judge(const std::string& text, const ParsedText& parsed, Outcome& outcome) {
  if (parsed.fault) {
    ++outcome.faults;
    EXPECT_FALSE(parsed.fault->reason.empty());
    return;
  }
  for (const DocumentNode* object : SplitResources(parsed.documents)) {
    const Decoded decoded = DecodeResource(*object, "t");
    if (!decoded.value) {
      outcome.refused += decoded.refusal.has_value() ? 1 : 0;
      continue;
    }
    ++outcome.in_force;
    const auto* policy = std::get_if<model::Policy>(&*decoded.value);
    if (policy == nullptr || !NamesEveryField(text)) continue;
    for (const model::PolicyRule& rule : policy->ingress) {
      if (HasAllConditions(rule)) continue;
      ++outcome.lost_conditions;
      ADD_FAILURE() << "a rule lost a condition:\n" << text;
    }
  }
}

TEST(Mutations, OfAFileNeverCrashNorWiden) {
  std::mt19937 random(20240501);
  Outcome yaml;
  Outcome json;
  for (int i = 0; i < 1'000; ++i) {
    const std::string mutated_yaml = Mutate(kYaml, random);
    const auto begin = std::chrono::steady_clock::now();
    Judge(mutated_yaml, ParseYaml(mutated_yaml), yaml);
    const std::string mutated_json = Mutate(kJson, random);
    Judge(mutated_json, ParseJson(mutated_json), json);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
  }
  for (const Outcome& outcome : {yaml, json}) {
    EXPECT_GT(outcome.faults, 100);
    EXPECT_GT(outcome.refused, 20);
    EXPECT_GT(outcome.in_force, 10);
    EXPECT_EQ(outcome.lost_conditions, 0);
  }
}

TEST(Truncations, OfAJsonFileAreAllRefused) {
  for (std::size_t size = 1; size + 2 < kJson.size(); ++size) {
    EXPECT_TRUE(ParseJson(kJson.substr(0, size)).fault.has_value()) << size;
  }
}

}  // namespace
}  // namespace felix::datastore
