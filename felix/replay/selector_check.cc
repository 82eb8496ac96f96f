// SPDX-License-Identifier: Apache-2.0
#include "felix/replay/selector_check.h"

#include <charconv>
#include <cstdint>
#include <string_view>
#include <utility>

#include "absl/strings/str_split.h"
#include "fmt/format.h"

#include "felix/json_line.h"
#include "model/base/status_macros.h"
#include "model/base/strings.h"
#include "model/selector.h"

namespace felix::replay {
namespace {

absl::StatusOr<model::LabelSet> ParseLabels(std::string_view text) {
  model::LabelSet labels;
  if (text.empty()) return labels;
  for (const auto part : absl::StrSplit(ToAbsl(text), ',')) {
    const std::string_view entry = ToStd(part);
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return absl::InvalidArgumentError(
          fmt::format("--labels: '{}' is not of the form name=value", entry));
    }
    labels.Set(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return labels;
}

// The parser's messages name the column behind this word; 0 if there is none.
std::size_t ColumnIn(std::string_view message) {
  constexpr std::string_view kWord = "column ";
  const std::size_t at = message.find(kWord);
  std::size_t column = 0;
  if (at == std::string_view::npos) return column;
  const std::string_view number = message.substr(at + kWord.size());
  std::from_chars(number.data(), number.data() + number.size(), column);
  return column;
}

}  // namespace

absl::StatusOr<Answer> CheckSelector(const std::string& selector, const std::string& labels,
                                     Output output) {
  FELIX_ASSIGN_OR_RETURN(const model::LabelSet set, ParseLabels(labels));
  const absl::StatusOr<model::Selector> parsed = model::Selector::Parse(selector);
  const std::string message(parsed.status().message());
  const std::size_t column = ColumnIn(message);
  const bool matches = parsed.ok() && parsed->Matches(set);
  const int status = !parsed.ok() ? kUnusable : (matches ? kDone : kDiffers);
  if (output == Output::kJson) {
    JsonLine json;
    json.BeginObject();
    json.Field("schema", "felix-replay/selector/1");
    json.Flag("valid", parsed.ok());
    if (parsed.ok()) {
      json.Flag("matches", matches);
      json.Field("canonical", parsed->text());
      json.Field("id", parsed->id());
    } else {
      json.Field("error", message);
      json.Field("column", column);
    }
    json.EndObject();
    return Answer{json.Text() + "\n", status};
  }
  if (parsed.ok()) {
    return Answer{fmt::format("{}: {} {} {}\n", matches ? "match" : "no match", parsed->text(),
                              matches ? "selects" : "does not select",
                              set.empty() ? "something without labels" : set.ToString()),
                  status};
  }
  std::string text = selector + "\n";
  if (column != 0) text += std::string(column - 1, ' ') + "^\n";
  return Answer{text + message + "\n", status};
}

}  // namespace felix::replay
