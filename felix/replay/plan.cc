// SPDX-License-Identifier: Apache-2.0
#include "felix/replay/plan.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "fmt/format.h"

#include "compiler/marks.h"
#include "datastore/snapshot/byte_reader.h"
#include "felix/json_line.h"
#include "felix/replay/judge.h"
#include "felix/replay/shape_text.h"
#include "model/base/status_macros.h"

namespace felix::replay {
namespace {

constexpr std::size_t kMostPairs = 50;
constexpr std::size_t kMostMembers = 10;
constexpr std::size_t kLongestText = std::size_t{1} << 30;

using Lines = std::vector<std::string>;

// Lines that went and came, in their places: the longest common run from both ends stays out of
// it, since an edit of a policy touches few rules.
std::string LineDifference(const Lines& before, const Lines& after) {
  std::size_t head = 0;
  while (head < before.size() && head < after.size() && before[head] == after[head]) ++head;
  std::size_t tail = 0;
  while (tail < before.size() - head && tail < after.size() - head &&
         before[before.size() - 1 - tail] == after[after.size() - 1 - tail]) {
    ++tail;
  }
  std::string text;
  for (std::size_t i = head; i < before.size() - tail; ++i) {
    text += fmt::format("    - {}\n", before[i]);
  }
  for (std::size_t i = head; i < after.size() - tail; ++i) {
    text += fmt::format("    + {}\n", after[i]);
  }
  return text;
}

std::string MemberDifference(const FirewallText::Set& before, const FirewallText::Set& after) {
  std::string text;
  std::size_t lines = 0;
  const auto list = [&](char sign, const auto& from, const auto& without) {
    for (const std::string& member : from.members) {
      if (without.members.contains(member)) continue;
      if (++lines <= kMostMembers) text += fmt::format("    {} {}\n", sign, member);
    }
  };
  list('-', before, after);
  list('+', after, before);
  if (lines > kMostMembers) text += fmt::format("    and {} more members\n", lines - kMostMembers);
  return text;
}

// Walks two maps side by side.
template <typename Map, typename Name, typename Show>
void Walk(const Map& before, const Map& after, std::string_view what, const Name& name,
          const Show& show, FirewallDifference& difference) {
  for (const auto& [key, value] : before) {
    if (after.contains(key)) continue;
    ++difference.removed;
    difference.text += fmt::format("- {} {}\n", what, name(key));
  }
  for (const auto& [key, value] : after) {
    const auto old = before.find(key);
    if (old == before.end()) {
      ++difference.added;
      difference.text += fmt::format("+ {} {}\n{}", what, name(key), show({}, value));
    } else if (old->second != value) {
      ++difference.changed;
      difference.text += fmt::format("~ {} {}\n{}", what, name(key), show(old->second, value));
    }
  }
}

std::string ReachText(const ReachComparison& reach) {
  std::string text;
  const auto opens = static_cast<std::size_t>(
      std::count_if(reach.changes.begin(), reach.changes.end(),
                    [](const ReachChange& change) { return change.opens; }));
  text += fmt::format("reachability: {} pairs open, {} pairs close\n", opens,
                      reach.changes.size() - opens);
  for (std::size_t i = 0; i < reach.changes.size() && i < kMostPairs; ++i) {
    const ReachChange& change = reach.changes[i];
    text += fmt::format("  {} {} -> {} {}\n", change.opens ? "opens " : "closes", change.from,
                        change.to, change.flow);
  }
  if (reach.changes.size() > kMostPairs) {
    text += fmt::format("  and {} more\n", reach.changes.size() - kMostPairs);
  }
  if (!reach.left_out.empty()) text += fmt::format("note: {}\n", reach.left_out);
  if (reach.leaves_out_host_endpoints) text += kHostEndpointsNote;
  return text;
}

Answer Report(const std::string& host, const FirewallDifference& difference,
              const ReachComparison* reach, Output output) {
  const bool differs = !difference.empty() || (reach != nullptr && !reach->changes.empty());
  const int status = differs ? kDiffers : kDone;
  if (output == Output::kText) {
    std::string text = difference.text;
    if (reach != nullptr) text += ReachText(*reach);
    text += fmt::format("plan for {}: {} to add, {} to change, {} to remove\n", host,
                        difference.added, difference.changed, difference.removed);
    return {std::move(text), status};
  }
  JsonLine json;
  json.BeginObject();
  json.Field("schema", "felix-replay/plan/1");
  json.Field("host", host);
  json.Field("added", difference.added);
  json.Field("changed", difference.changed);
  json.Field("removed", difference.removed);
  json.Field("text", difference.text);
  if (reach != nullptr) {
    json.Key("reachability").BeginArray();
    for (const ReachChange& change : reach->changes) {
      json.BeginObject();
      json.Field("from", change.from);
      json.Field("to", change.to);
      json.Field("flow", change.flow);
      json.Flag("opens", change.opens);
      json.EndObject();
    }
    json.EndArray();
    json.Key("compared_flows").BeginArray();
    for (const std::string& flow : reach->flows) json.Element(flow);
    json.EndArray();
    if (!reach->left_out.empty()) json.Field("left_out", reach->left_out);
    if (reach->leaves_out_host_endpoints) json.Flag("host_endpoints_not_asked", true);
  }
  json.EndObject();
  return {json.Text() + "\n", status};
}

// What follows upon `before`.
absl::StatusOr<FirewallText> TextOf(const Cluster& cluster, const std::string& host,
                                    const FirewallText& before) {
  const Config config = cluster.ConfigOf(host);
  const auto marks =
      compiler::Marks::FromMask(config.compiler.mark_mask, config.compiler.chain_layout);
  FELIX_ASSIGN_OR_RETURN(const ir::DesiredState state,
                         cluster.Compile(host, ShapeNumbersOf(before, marks)));
  return FirewallText::Of(MakeRestoreFiles(state, config));
}

absl::StatusOr<std::string> ReadText(const std::string& path) {
  FELIX_ASSIGN_OR_RETURN(const auto reader, datastore::ByteReader::Open(path));
  absl::StatusOr<std::string> text = reader->ReadRest(kLongestText);
  if (text.ok()) return text;
  return absl::Status(text.status().code(),
                      fmt::format("{}: {}", path, std::string(text.status().message())));
}

}  // namespace

FirewallDifference Compare(const FirewallText& before, const FirewallText& after) {
  FirewallDifference difference;
  Walk(
      before.sets, after.sets, "set", [](const std::string& name) { return name; },
      [](const FirewallText::Set& old, const FirewallText::Set& now) {
        return MemberDifference(old, now);
      },
      difference);
  Walk(
      before.chains, after.chains, "chain",
      [](const FirewallText::Chain& chain) {
        return fmt::format("{} {} {}", chain.family, chain.table, chain.name);
      },
      [](const Lines& old, const Lines& now) { return LineDifference(old, now); }, difference);
  return difference;
}

absl::StatusOr<Answer> PlanChange(const Cluster& before, const Cluster& after,
                                  const std::string& host, Output output) {
  FELIX_ASSIGN_OR_RETURN(const FirewallText old_text, TextOf(before, host, {}));
  FELIX_ASSIGN_OR_RETURN(const FirewallText new_text, TextOf(after, host, old_text));
  const ReachComparison reach = CompareReach(JudgeOf(before), JudgeOf(after));
  return Report(host, Compare(old_text, new_text), &reach, output);
}

absl::StatusOr<Answer> PlanKernel(const CapturedFiles& captured, const Cluster& cluster,
                                  const std::string& host, Output output) {
  FirewallText kernel;
  const auto named = [](const std::string& path, const absl::Status& status) {
    return status.ok() ? status
                       : absl::Status(status.code(),
                                      fmt::format("{}: {}", path, std::string(status.message())));
  };
  const std::pair<const std::string&, std::string_view> families[] = {{captured.v4, "ipv4"},
                                                                      {captured.v6, "ipv6"}};
  for (const auto& [path, family] : families) {
    if (path.empty()) continue;
    FELIX_ASSIGN_OR_RETURN(const std::string text, ReadText(path));
    FELIX_RETURN_IF_ERROR(named(path, kernel.AddRules(family, text)));
  }
  if (!captured.sets.empty()) {
    FELIX_ASSIGN_OR_RETURN(const std::string text, ReadText(captured.sets));
    FELIX_RETURN_IF_ERROR(named(captured.sets, kernel.AddSets(text)));
  }
  FELIX_ASSIGN_OR_RETURN(FirewallText wanted, TextOf(cluster, host, kernel));
  for (const auto& captured_family : families) {
    if (!captured_family.first.empty()) continue;
    std::erase_if(wanted.chains,
                  [&](const auto& entry) { return entry.first.family == captured_family.second; });
  }
  if (captured.sets.empty()) wanted.sets.clear();
  return Report(host, Compare(kernel, wanted), nullptr, output);
}

}  // namespace felix::replay
