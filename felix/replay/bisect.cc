// SPDX-License-Identifier: Apache-2.0
#include "felix/replay/bisect.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "fmt/format.h"

#include "felix/json_line.h"
#include "felix/replay/judge.h"
#include "model/base/status_macros.h"
#include "model/base/strings.h"

namespace felix::replay {
namespace {

// Whether it was so at that revision; an end that is not there is no traffic. Sets `leaves_out` if
// host endpoints were there that were not asked.
absl::StatusOr<bool> HoldsAt(InputRequest request, std::int64_t revision,
                             const Condition& condition, const Flow& flow, bool& leaves_out) {
  request.snapshot.revision = revision;
  FELIX_ASSIGN_OR_RETURN(const Cluster cluster, ReadCluster(request));
  const Judge judge = JudgeOf(cluster);
  const absl::StatusOr<End> from = FindEnd(judge.book(), condition.flow.from);
  const absl::StatusOr<End> to = FindEnd(judge.book(), condition.flow.to);
  for (const absl::Status& status : {from.status(), to.status()}) {
    if (!status.ok() && !absl::IsNotFound(status)) return status;
  }
  if (!from.ok() || !to.ok()) return false;
  const std::optional<FlowEnds> ends = Join(judge.book(), *from, *to);
  if (!ends) return false;
  const std::array<const Workload*, 2> both = {ends->from, ends->to};
  leaves_out = leaves_out || judge.LeavesOutHostEndpoints(both);
  const bool allowed = judge.AskEgress(*ends, flow, nullptr).allowed &&
                       judge.AskIngress(*ends, flow, nullptr).allowed;
  return allowed == condition.allowed;
}

// What the history holds: its revisions, and what changed at one of them.
struct History {
  std::vector<std::int64_t> revisions;
  std::vector<std::string> changes;
};
absl::StatusOr<History> ReadHistory(const InputRequest& request,
                                    std::optional<std::int64_t> changes_at) {
  History history;
  datastore::SnapshotOptions options = request.snapshot;
  options.every_step = true;
  const auto facts =
      datastore::ReadSnapshot(request.paths, options, [&](const datastore::SnapshotStep& step) {
        if (history.revisions.empty() || history.revisions.back() != step.moment.revision) {
          history.revisions.push_back(step.moment.revision);
        }
        if (step.moment.revision != changes_at) return;
        for (const model::Update& update : step.updates) {
          history.changes.push_back(
              fmt::format("{} {}", update.value ? "set" : "removed", model::ToString(update.key)));
        }
      });
  if (!facts.ok()) return facts.status();
  return history;
}

struct Finding {
  std::string_view result;
  std::int64_t revision = 0;
  std::vector<std::string> changes;
  int status = kDone;
  bool leaves_out = false;
};

Answer Report(const std::string& when, const Finding& finding, Output output) {
  if (output == Output::kJson) {
    JsonLine json;
    json.BeginObject();
    json.Field("schema", "felix-replay/bisect/1");
    json.Field("when", when);
    json.Field("result", finding.result);
    json.Field("revision", static_cast<std::uint64_t>(finding.revision));
    json.Key("changes").BeginArray();
    for (const std::string& change : finding.changes) json.Element(change);
    json.EndArray();
    if (finding.leaves_out) json.Flag("host_endpoints_not_asked", true);
    json.EndObject();
    return {json.Text() + "\n", finding.status};
  }
  std::string text = fmt::format("{}: {} {}\n", when, finding.result, finding.revision);
  for (const std::string& change : finding.changes) text += fmt::format("  {}\n", change);
  if (finding.leaves_out) text += kHostEndpointsNote;
  return {std::move(text), finding.status};
}

}  // namespace

absl::StatusOr<Condition> ParseCondition(const std::string& text) {
  const absl::Status malformed = absl::InvalidArgumentError(
      fmt::format("--when {}: not of the form deny(FROM, TO, PROTOCOL, PORT) or allow(…)", text));
  const std::size_t open = text.find('(');
  if (open == std::string::npos || text.back() != ')') return malformed;
  const std::string word = text.substr(0, open);
  if (word != "deny" && word != "allow") return malformed;
  std::vector<std::string> parts =
      absl::StrSplit(ToAbsl(text).substr(open + 1, text.size() - open - 2), ',');
  for (std::string& part : parts) absl::StripAsciiWhitespace(&part);
  if (parts.size() != 3 && parts.size() != 4) return malformed;
  Condition condition;
  condition.allowed = word == "allow";
  condition.flow.from = parts[0];
  condition.flow.to = parts[1];
  condition.flow.protocol = parts[2];
  if (parts.size() == 4) condition.flow.port = parts[3];
  return condition;
}

absl::StatusOr<Answer> Bisect(const InputRequest& request, const std::string& when, Output output) {
  FELIX_ASSIGN_OR_RETURN(const Condition condition, ParseCondition(when));
  FELIX_ASSIGN_OR_RETURN(const Flow flow, ParseFlow(condition.flow));
  if (std::find(request.paths.begin(), request.paths.end(), "-") != request.paths.end()) {
    return absl::InvalidArgumentError(
        "bisect reads its input many times, which standard input does not allow");
  }
  FELIX_ASSIGN_OR_RETURN(const History history, ReadHistory(request, std::nullopt));
  const std::vector<std::int64_t>& revisions = history.revisions;
  if (revisions.empty() || revisions.back() == 0) {
    return absl::InvalidArgumentError("the input has no history: it tells no revisions");
  }
  bool leaves_out = false;
  const auto holds = [&](std::size_t index) {
    return HoldsAt(request, revisions[index], condition, flow, leaves_out);
  };
  FELIX_ASSIGN_OR_RETURN(const bool at_end, holds(revisions.size() - 1));
  if (!at_end) {
    return Report(when, {"not so at the end, revision", revisions.back(), {}, kDiffers, leaves_out},
                  output);
  }
  FELIX_ASSIGN_OR_RETURN(const bool at_start, holds(0));
  if (at_start) {
    return Report(when,
                  {"so from the beginning, revision", revisions.front(), {}, kDone, leaves_out},
                  output);
  }
  std::size_t before = 0;  // not so
  std::size_t since = revisions.size() - 1;
  while (since - before > 1) {
    const std::size_t middle = before + (since - before) / 2;
    FELIX_ASSIGN_OR_RETURN(const bool is_so, holds(middle));
    (is_so ? since : before) = middle;
  }
  FELIX_ASSIGN_OR_RETURN(History step, ReadHistory(request, revisions[since]));
  return Report(when,
                {"so since revision", revisions[since], std::move(step.changes), kDone, leaves_out},
                output);
}

}  // namespace felix::replay
