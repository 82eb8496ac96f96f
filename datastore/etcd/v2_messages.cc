// SPDX-License-Identifier: Apache-2.0
#include "datastore/etcd/v2_messages.h"

#include "fmt/format.h"
#include "rapidjson/document.h"

#include "model/base/status_macros.h"

namespace felix::datastore {
namespace {

constexpr int kKeyNotFound = 100;
constexpr int kEventIndexCleared = 401;

absl::Status Malformed(std::string_view what) {
  return absl::DataLossError(fmt::format("read the answer of etcd's v2 API: {}", what));
}

const rapidjson::Value* Find(const rapidjson::Value& object, const char* name) {
  const auto it = object.FindMember(name);
  return it == object.MemberEnd() ? nullptr : &it->value;
}

std::string Text(const rapidjson::Value& object, const char* name) {
  const rapidjson::Value* value = Find(object, name);
  if (value == nullptr || !value->IsString()) return {};
  return {value->GetString(), value->GetStringLength()};
}

std::int64_t Number(const rapidjson::Value& object, const char* name) {
  const rapidjson::Value* value = Find(object, name);
  return value == nullptr || !value->IsInt64() ? 0 : value->GetInt64();
}

bool IsDirectory(const rapidjson::Value& node) {
  const rapidjson::Value* value = Find(node, "dir");
  return value != nullptr && value->IsBool() && value->GetBool();
}

KeyValue ValueOf(const rapidjson::Value& node) {
  return {Text(node, "key"), Text(node, "value"), Number(node, "modifiedIndex")};
}

absl::Status Parse(std::string_view text, rapidjson::Document& document) {
  document.Parse<rapidjson::kParseIterativeFlag>(text.data(), text.size());
  if (document.HasParseError() || !document.IsObject()) {
    return Malformed(fmt::format("not a JSON object: '{}'", text.substr(0, 80)));
  }
  const std::int64_t code = Number(document, "errorCode");
  if (code == 0) return absl::OkStatus();
  const std::string what = fmt::format("etcd says: {} ({}): {}", Text(document, "message"), code,
                                       Text(document, "cause"));
  if (code == kEventIndexCleared) return absl::OutOfRangeError(what);
  if (code == kKeyNotFound) return absl::NotFoundError(what);
  return absl::UnavailableError(what);
}

}  // namespace

absl::StatusOr<std::vector<KeyValue>> ParseV2Tree(std::string_view text) {
  rapidjson::Document document;
  std::vector<KeyValue> values;
  const absl::Status status = Parse(text, document);
  if (absl::IsNotFound(status)) return values;
  if (!status.ok()) return status;
  const rapidjson::Value* root = Find(document, "node");
  if (root == nullptr) return Malformed("no node");
  std::vector<const rapidjson::Value*> pending = {root};
  while (!pending.empty()) {
    const rapidjson::Value& node = *pending.back();
    pending.pop_back();
    if (!node.IsObject()) return Malformed("a node that is no object");
    if (!IsDirectory(node)) {
      if (KeyValue value = ValueOf(node); !value.key.empty()) values.push_back(std::move(value));
      continue;
    }
    const rapidjson::Value* children = Find(node, "nodes");
    if (children == nullptr || !children->IsArray()) continue;
    for (const rapidjson::Value& child : children->GetArray()) pending.push_back(&child);
  }
  return values;
}

absl::StatusOr<V2Event> ParseV2Event(std::string_view text) {
  rapidjson::Document document;
  const absl::Status status = Parse(text, document);
  if (absl::IsNotFound(status)) return absl::UnavailableError(status.message());
  if (!status.ok()) return status;
  const rapidjson::Value* node = Find(document, "node");
  if (node == nullptr || !node->IsObject()) return Malformed("no node");
  V2Event event;
  const std::string action = Text(document, "action");
  event.is_removal = action == "delete" || action == "expire" || action == "compareAndDelete";
  event.is_directory = IsDirectory(*node);
  event.value = ValueOf(*node);
  if (event.value.key.empty() || event.value.mod_revision <= 0) return Malformed("no key or index");
  return event;
}

}  // namespace felix::datastore
