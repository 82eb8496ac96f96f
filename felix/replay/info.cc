// SPDX-License-Identifier: Apache-2.0
#include "felix/replay/info.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "fmt/format.h"

#include "felix/json_line.h"
#include "model/base/overloaded.h"
#include "model/base/status_macros.h"

namespace felix::replay {
namespace {

constexpr std::size_t kMostLines = 20;

std::string_view KindOf(const model::Update& update) {
  return std::visit(
      Overloaded{
          [](const model::WorkloadEndpointId&) { return std::string_view("workload endpoints"); },
          [&](const model::PolicyId&) {
            const bool broken = std::holds_alternative<model::BrokenPolicy>(*update.value);
            return std::string_view(broken ? "broken policies" : "policies");
          },
          [](const model::TierId&) { return std::string_view("tiers"); },
          [](const model::ProfileId&) { return std::string_view("profiles"); },
          [](const model::NetworkSetId&) { return std::string_view("network sets"); },
          [](const model::ConfigId&) { return std::string_view("configurations"); },
          [](const model::IpPoolId&) { return std::string_view("address pools"); },
          [](const model::NodeId&) { return std::string_view("nodes"); },
          [](const model::HostEndpointId&) { return std::string_view("host endpoints"); },
          [](const model::InterfaceId&) { return std::string_view("interfaces"); },
      },
      update.key);
}

struct Counts {
  std::map<std::string, std::size_t> kinds;
  std::map<std::string, std::size_t> endpoints;  // by host
  std::size_t steps = 0;
  std::size_t changes = 0;  // of objects, after the first step
};

// Reads every step: what is there in the end, and how much happened on the way.
absl::StatusOr<Counts> Count(const InputRequest& request, Cluster& cluster) {
  Counts counts;
  datastore::SnapshotOptions options = request.snapshot;
  options.every_step = true;
  std::map<model::Key, std::string> kinds;
  FELIX_ASSIGN_OR_RETURN(
      cluster.facts,
      datastore::ReadSnapshot(request.paths, options, [&](datastore::SnapshotStep step) {
        if (counts.steps++ != 0) counts.changes += step.updates.size();
        for (const model::Update& update : step.updates) {
          if (update.value) {
            kinds.insert_or_assign(update.key, std::string(KindOf(update)));
          } else {
            kinds.erase(update.key);
          }
        }
        for (auto& [id, refusal] : step.refusals) {
          cluster.refusals.erase(id);
          if (refusal) cluster.refusals.emplace(id, *std::move(refusal));
        }
      }));
  for (const auto& [key, kind] : kinds) {
    ++counts.kinds[kind];
    if (const auto* id = std::get_if<model::WorkloadEndpointId>(&key)) ++counts.endpoints[id->host];
  }
  return counts;
}

using CommitField = std::uint64_t datastore::CommitTimes::*;
constexpr std::pair<const char*, CommitField> kCommitFields[] = {
    {"compile", &datastore::CommitTimes::compile},
    {"sets", &datastore::CommitTimes::sets},
    {"tables", &datastore::CommitTimes::tables},
    {"total", &datastore::CommitTimes::total}};

std::vector<std::uint64_t> Sorted(const std::vector<datastore::CommitTimes>& commits,
                                  CommitField field) {
  std::vector<std::uint64_t> times;
  times.reserve(commits.size());
  for (const datastore::CommitTimes& commit : commits) times.push_back(commit.*field);
  std::sort(times.begin(), times.end());
  return times;
}

std::string CommitText(const std::vector<datastore::CommitTimes>& commits) {
  if (commits.empty()) return "";
  std::string text = fmt::format("commits   {}, in microseconds:\n", commits.size());
  for (const auto& [name, field] : kCommitFields) {
    const std::vector<std::uint64_t> times = Sorted(commits, field);
    text += fmt::format("  {:>8} p50 {}, p99 {}, max {}\n", name, times[times.size() / 2],
                        times[times.size() * 99 / 100], times.back());
  }
  return text;
}

std::string Text(const Cluster& cluster, const Counts& counts) {
  const datastore::SnapshotFacts& facts = cluster.facts;
  std::string text;
  for (const datastore::InputFacts& input : facts.inputs) {
    text += fmt::format("input     {}: {}{}{}, {} steps, {} keys or files\n", input.path,
                        input.format, input.packing.empty() ? "" : " packed with ", input.packing,
                        input.steps, input.keys);
  }
  if (facts.last.revision != 0) {
    text += fmt::format("revisions {} to {}\n", facts.first.revision, facts.last.revision);
  }
  text += fmt::format("history   {} steps, {} changes of objects after the first\n", counts.steps,
                      counts.changes);
  text += CommitText(facts.commits);
  text += "objects\n";
  for (const auto& [kind, count] : counts.kinds) text += fmt::format("  {:>8} {}\n", count, kind);
  for (const auto& [kind, count] : facts.ignored_kinds) {
    text += fmt::format("  {:>8} {} (no part in policy)\n", count, kind);
  }
  text += fmt::format("hosts     {} with workload endpoints\n", counts.endpoints.size());
  std::size_t lines = 0;
  for (const auto& [host, count] : counts.endpoints) {
    if (++lines > kMostLines) break;
    text += fmt::format("  {:>8} {}\n", count, host);
  }
  if (lines > kMostLines) {
    text += fmt::format("  and {} more hosts\n", counts.endpoints.size() - kMostLines);
  }
  if (facts.hold) text += fmt::format("not ready {}\n", *facts.hold);
  text += fmt::format("refused   {}\n", cluster.refusals.size());
  for (const auto& [id, refusal] : cluster.refusals) text += "  " + refusal.ToString() + "\n";
  if (!facts.damages.empty()) text += fmt::format("damaged   {}\n", facts.damages.size());
  for (const std::string& damage : facts.damages) text += "  " + damage + "\n";
  return text;
}

void WriteMap(const char* name, const auto& counts, JsonLine& json) {
  json.Key(name).BeginObject();
  for (const auto& [key, count] : counts) json.Field(key, count);
  json.EndObject();
}

std::string Json(const Cluster& cluster, const Counts& counts) {
  const datastore::SnapshotFacts& facts = cluster.facts;
  JsonLine json;
  json.BeginObject();
  json.Field("schema", "felix-replay/info/1");
  json.Key("inputs").BeginArray();
  for (const datastore::InputFacts& input : facts.inputs) {
    json.BeginObject();
    json.Field("path", input.path);
    json.Field("format", input.format);
    json.Field("packing", input.packing);
    json.Field("steps", input.steps);
    json.Field("keys", input.keys);
    json.EndObject();
  }
  json.EndArray();
  json.Field("first_revision", static_cast<std::uint64_t>(facts.first.revision));
  json.Field("last_revision", static_cast<std::uint64_t>(facts.last.revision));
  json.Field("steps", counts.steps);
  json.Field("changes", counts.changes);
  if (!facts.commits.empty()) {
    json.Field("commits", facts.commits.size());
    json.Key("commit_microseconds").BeginObject();
    for (const auto& [name, field] : kCommitFields) {
      const std::vector<std::uint64_t> times = Sorted(facts.commits, field);
      json.Key(name).BeginObject();
      json.Field("p50", times[times.size() / 2]);
      json.Field("p99", times[times.size() * 99 / 100]);
      json.Field("max", times.back());
      json.EndObject();
    }
    json.EndObject();
  }
  WriteMap("objects", counts.kinds, json);
  WriteMap("ignored", facts.ignored_kinds, json);
  WriteMap("endpoints_by_host", counts.endpoints, json);
  if (facts.hold) json.Field("not_ready", *facts.hold);
  json.Key("refused").BeginArray();
  for (const auto& [id, refusal] : cluster.refusals) {
    json.BeginObject();
    json.Field("object", refusal.object);
    json.Field("origin", refusal.origin);
    json.Field("field", refusal.field);
    json.Field("reason", refusal.reason);
    json.EndObject();
  }
  json.EndArray();
  json.Key("damaged").BeginArray();
  for (const std::string& damage : facts.damages) {
    json.BeginObject();
    json.Field("reason", damage);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  return json.Text() + "\n";
}

}  // namespace

absl::StatusOr<Answer> Info(const InputRequest& request, Output output) {
  Cluster cluster;
  FELIX_ASSIGN_OR_RETURN(const Counts counts, Count(request, cluster));
  return Answer{output == Output::kJson ? Json(cluster, counts) : Text(cluster, counts), kDone};
}

}  // namespace felix::replay
