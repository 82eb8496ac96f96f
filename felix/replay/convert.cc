// SPDX-License-Identifier: Apache-2.0
#include "felix/replay/convert.h"

#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "fmt/format.h"

#include "datastore/etcd/etcd_keys.h"
#include "datastore/resource_document.h"
#include "felix/json_line.h"
#include "model/base/status_macros.h"
#include "model/base/strings.h"

namespace felix::replay {
namespace {

constexpr std::string_view kV3Prefix = "/calico/resources/v3/";
constexpr std::string_view kV1Prefix = "/calico/v1/";

// Keeps the keys and values of what it hears.
class KeyKeeper final : public datastore::EventSink {
 public:
  struct Value {
    std::string text;
    std::int64_t revision = 0;
  };
  explicit KeyKeeper(const datastore::SnapshotOptions& options) : options_(options) {}

  void BeginInput(const std::string& path, std::string_view, std::string_view) override {
    path_ = path;
  }
  absl::Status EndInput() override { return std::exchange(failure_, absl::OkStatus()); }
  bool BeginStep(const datastore::Moment& moment) override {
    if (options_.revision && moment.revision > *options_.revision) return false;
    revision_ = std::max(revision_, moment.revision);
    return true;
  }
  void OnValue(std::string_view key, std::string_view value) override {
    if (key < datastore::kEtcdRangeStart || key >= datastore::kEtcdRangeEnd) return;
    values_[std::string(key)] = {std::string(value), revision_};
  }
  void OnRemoval(std::string_view key) override { values_.erase(std::string(key)); }
  void OnObjects(const std::string& file, std::vector<datastore::Decoded>) override {
    failure_ = absl::InvalidArgumentError(
        fmt::format("{}: holds resources already, and no keys of etcd", file));
  }
  bool OnDamage(datastore::Position position, std::string_view reason) override {
    if (options_.lenient) return true;
    failure_ = absl::DataLossError(
        fmt::format("{}:{}: {}", path_, position.ToString(), datastore::Printable(reason)));
    return false;
  }

  [[nodiscard]] const std::map<std::string, Value>& values() const { return values_; }
  [[nodiscard]] std::int64_t revision() const { return revision_; }

 private:
  const datastore::SnapshotOptions& options_;
  std::string path_;
  std::map<std::string, Value> values_;
  std::int64_t revision_ = 0;
  absl::Status failure_;
};

// The value's own text on one line; values that are no JSON stay with their keys as they are.
bool IsJsonObject(const std::string& text) {
  const datastore::ParsedText parsed = datastore::ParseJson(text);
  return !parsed.fault && parsed.documents.size() == 1 &&
         parsed.documents.front().kind() == datastore::DocumentNode::Kind::kObject;
}

std::string OneLine(std::string text) {
  // A line end within JSON can only be a blank.
  for (char& c : text) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return text;
}

std::string AsResources(const KeyKeeper& keeper) {
  std::string text;
  for (const auto& [key, value] : keeper.values()) {
    if (key.starts_with(kV3Prefix) && IsJsonObject(value.text)) {
      text += OneLine(value.text) + "\n";
    } else if (key.starts_with(kV1Prefix)) {
      JsonLine json;
      json.BeginObject();
      json.Field("key", key);
      json.Field("value", value.text);
      json.EndObject();
      text += json.Text() + "\n";
    }
  }
  return text;
}

std::string AsEtcd(const KeyKeeper& keeper) {
  JsonLine json;
  json.BeginObject();
  json.Key("header").BeginObject();
  json.Field("revision", static_cast<std::uint64_t>(keeper.revision()));
  json.EndObject();
  json.Key("kvs").BeginArray();
  for (const auto& [key, value] : keeper.values()) {
    json.BeginObject();
    json.Field("key", std::string(absl::Base64Escape(ToAbsl(key))));
    json.Field("mod_revision", static_cast<std::uint64_t>(value.revision));
    json.Field("value", std::string(absl::Base64Escape(ToAbsl(value.text))));
    json.EndObject();
  }
  json.EndArray();
  json.Field("count", keeper.values().size());
  json.EndObject();
  return json.Text() + "\n";
}

}  // namespace

absl::StatusOr<Answer> Convert(const InputRequest& request, ConvertTo form) {
  KeyKeeper keeper(request.snapshot);
  FELIX_RETURN_IF_ERROR(datastore::ReadInputs(request.paths, keeper));
  return Answer{form == ConvertTo::kEtcd ? AsEtcd(keeper) : AsResources(keeper), kDone};
}

}  // namespace felix::replay
