// SPDX-License-Identifier: Apache-2.0
#include "felix/once_report.h"

#include "felix/desired_totals.h"
#include "felix/json_line.h"

namespace felix {
namespace {

std::uint64_t Micros(std::chrono::microseconds time) {
  return static_cast<std::uint64_t>(time.count());
}

void WriteObjects(const model::Store& store, JsonLine& json) {
  json.Key("objects").BeginObject();
  json.Field("endpoints", store.endpoints().size());
  json.Field("policies", store.policies().size());
  json.Field("broken_policies", store.broken_policies().size());
  json.Field("tiers", store.tiers().size());
  json.Field("profiles", store.profiles().size());
  json.Field("network_sets", store.network_sets().size());
  json.Field("configurations", store.configs().size());
  json.EndObject();
}

void WriteChanges(const ApplyReport& changes, JsonLine& json) {
  json.Key("changes").BeginObject();
  json.Field("sets_created", changes.sets_created);
  json.Field("sets_replaced", changes.sets_swapped);
  json.Field("sets_destroyed", changes.sets_destroyed);
  json.Field("members_added", changes.members_added);
  json.Field("members_removed", changes.members_removed);
  json.Field("chains_created", changes.chains_created);
  json.Field("chains_deleted", changes.chains_deleted);
  json.Field("rules_written", changes.rules_written);
  json.Field("rules_deleted", changes.rules_deleted);
  json.Field("commits", changes.commits);
  json.EndObject();
}

void WriteTimes(const Engine& engine, const OnceFigures& figures, JsonLine& json) {
  json.Key("microseconds").BeginObject();
  json.Field("read", Micros(figures.read_time));
  json.Field("compile", Micros(engine.last_outcome()->compile_time));
  json.Field("sets", Micros(figures.changes.sets_time));
  json.Field("tables", Micros(figures.changes.tables_time));
  json.Field("total", Micros(figures.total_time));
  json.EndObject();
}

void WriteRefused(const Engine& engine, JsonLine& json) {
  json.Key("refused").BeginArray();
  for (const auto& [id, refusal] : engine.refusals()) {
    json.BeginObject();
    json.Field("object", refusal.object);
    json.Field("origin", refusal.origin);
    json.Field("field", refusal.field);
    json.Field("reason", refusal.reason);
    json.EndObject();
  }
  json.EndArray();
}

void WriteClosed(const ApplyReport& report, JsonLine& json) {
  json.Key("closed").BeginArray();
  for (const ApplyReport::ClosedChain& closed : report.closed) {
    json.BeginObject();
    json.Field("owner", closed.owner);
    json.Field("chain", closed.chain);
    json.Field("table", closed.table);
    json.Field("reason", closed.reason);
    json.EndObject();
  }
  json.EndArray();
}

void WriteUnused(const compiler::Graph& graph, JsonLine& json) {
  json.Key("unused").BeginArray();
  for (const compiler::Unused& unused : graph.unused()) {
    json.BeginObject();
    json.Field("object", unused.object);
    json.Field("reason", unused.reason);
    json.EndObject();
  }
  json.EndArray();
}

void WriteWork(const compiler::Stats& stats, JsonLine& json) {
  json.Key("work").BeginObject();
  for (const auto& [name, pass] : compiler::kPasses) {
    const compiler::PassStats& counts = stats.*pass;
    json.Key(name).BeginObject();
    json.Field("updates_in", counts.updates_in);
    json.Field("recomputed", counts.recomputed);
    json.Field("emitted", counts.emitted);
    json.Field("suppressed", counts.suppressed);
    json.EndObject();
  }
  json.EndObject();
}

}  // namespace

void OnceFigures::Add(const ApplyReport& report) {
  changes.sets_created += report.sets_created;
  changes.sets_destroyed += report.sets_destroyed;
  changes.sets_swapped += report.sets_swapped;
  changes.members_added += report.members_added;
  changes.members_removed += report.members_removed;
  changes.chains_created += report.chains_created;
  changes.chains_deleted += report.chains_deleted;
  changes.rules_written += report.rules_written;
  changes.rules_deleted += report.rules_deleted;
  changes.commits += report.commits;
  changes.sets_time += report.sets_time;
  changes.tables_time += report.tables_time;
}

std::string OnceJson(const Engine& engine, const OnceFigures& figures) {
  const DesiredTotals totals = Count(engine.graph().desired());
  JsonLine json;
  json.BeginObject();
  WriteObjects(engine.graph().store(), json);
  json.Field("rules", totals.rules);
  json.Field("sets", totals.sets);
  json.Field("set_members", totals.set_members);
  WriteChanges(figures.changes, json);
  WriteTimes(engine, figures, json);
  WriteWork(engine.graph().stats(), json);
  WriteRefused(engine, json);
  WriteClosed(engine.last_outcome()->report, json);
  WriteUnused(engine.graph(), json);
  json.Key("ignored").BeginObject();
  for (const auto& [kind, count] : figures.ignored) json.Field(kind, count);
  json.EndObject();
  json.EndObject();
  return json.Text();
}

}  // namespace felix
