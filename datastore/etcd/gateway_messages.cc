// SPDX-License-Identifier: Apache-2.0
#include "datastore/etcd/gateway_messages.h"

#include <charconv>

#include "absl/strings/escaping.h"
#include "fmt/format.h"
#include "rapidjson/document.h"
#include "rapidjson/stringbuffer.h"
#include "rapidjson/writer.h"

#include "model/base/status_macros.h"
#include "model/base/strings.h"

namespace felix::datastore {
namespace {

using JsonWriter = rapidjson::Writer<rapidjson::StringBuffer>;

// Codes of gRPC that the gateway repeats.
constexpr int kGrpcInvalidArgument = 3;
constexpr int kGrpcPermissionDenied = 7;
constexpr int kGrpcFailedPrecondition = 9;
constexpr int kGrpcOutOfRange = 11;
constexpr int kGrpcUnavailable = 14;
constexpr int kGrpcUnauthenticated = 16;

std::string_view Text(const rapidjson::Value& value) {
  return {value.GetString(), value.GetStringLength()};
}

void Write(JsonWriter& json, std::string_view text) {
  json.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

void Member(JsonWriter& json, const char* name, std::string_view text) {
  json.Key(name);
  Write(json, text);
}

void BytesMember(JsonWriter& json, const char* name, std::string_view bytes) {
  Member(json, name, absl::Base64Escape(ToAbsl(bytes)));
}

std::string ToText(const rapidjson::StringBuffer& buffer) {
  return {buffer.GetString(), buffer.GetSize()};
}

const rapidjson::Value* Find(const rapidjson::Value& object, const char* name) {
  if (!object.IsObject()) return nullptr;
  const auto it = object.FindMember(name);
  return it == object.MemberEnd() ? nullptr : &it->value;
}

absl::Status Malformed(std::string_view what) {
  return absl::DataLossError(fmt::format("read etcd's answer: {}", what));
}

// A 64-bit number, as text or as a number.
template <typename Number>
absl::Status ReadNumber(const rapidjson::Value& object, const char* name, Number& number) {
  const rapidjson::Value* value = Find(object, name);
  if (value == nullptr) return absl::OkStatus();
  if (value->IsUint64()) {
    number = static_cast<Number>(value->GetUint64());
    return absl::OkStatus();
  }
  if (value->IsString()) {
    const std::string_view text = Text(*value);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size()) return absl::OkStatus();
  }
  return Malformed(fmt::format("'{}' is not a number", name));
}

absl::Status ReadBytes(const rapidjson::Value& object, const char* name, std::string& bytes) {
  const rapidjson::Value* value = Find(object, name);
  if (value == nullptr) return absl::OkStatus();
  if (!value->IsString() || !absl::Base64Unescape(ToAbsl(Text(*value)), &bytes)) {
    return Malformed(fmt::format("'{}' is not base64", name));
  }
  return absl::OkStatus();
}

bool ReadBoolean(const rapidjson::Value& object, const char* name) {
  const rapidjson::Value* value = Find(object, name);
  return value != nullptr && value->IsBool() && value->GetBool();
}

std::string ReadText(const rapidjson::Value& object, const char* name) {
  const rapidjson::Value* value = Find(object, name);
  return value != nullptr && value->IsString() ? std::string(Text(*value)) : std::string();
}

absl::Status ReadKeyValue(const rapidjson::Value& object, KeyValue& result) {
  FELIX_RETURN_IF_ERROR(ReadBytes(object, "key", result.key));
  FELIX_RETURN_IF_ERROR(ReadBytes(object, "value", result.value));
  FELIX_RETURN_IF_ERROR(ReadNumber(object, "mod_revision", result.mod_revision));
  return result.key.empty() ? Malformed("a value without a key") : absl::OkStatus();
}

absl::Status ReadEvent(const rapidjson::Value& object, WatchEvent& event) {
  const rapidjson::Value* value = Find(object, "kv");
  if (value == nullptr) return Malformed("an event without a key");
  event.is_delete = ReadText(object, "type") == "DELETE";
  return ReadKeyValue(*value, event.value);
}

absl::Status Parse(std::string_view text, rapidjson::Document& document) {
  document.Parse(text.data(), text.size());
  if (document.HasParseError() || !document.IsObject()) {
    return Malformed(fmt::format("not a JSON object: '{}'", text.substr(0, 80)));
  }
  return absl::OkStatus();
}

// Causes that the gateway's own words do not tell.
std::string_view Cure(int code, std::string_view message) {
  if (code == kGrpcUnavailable && message.find("connection closed") != std::string_view::npos) {
    return "; if etcd runs with --client-cert-auth, its server certificate must also allow "
           "clientAuth, since its gateway uses it as a client";
  }
  if (message.find("CommonName") != std::string_view::npos) {
    return "; etcd's gateway ignores the names in client certificates: give a user name and a "
           "password (ETCD_USERNAME, ETCD_PASSWORD)";
  }
  if (message.find("user name is empty") != std::string_view::npos) {
    return "; etcd has authentication on: give a user name and a password (ETCD_USERNAME, "
           "ETCD_PASSWORD)";
  }
  if (message.find("permission denied") != std::string_view::npos) {
    return "; the user needs a role that may read all of /calico/";
  }
  return "";
}

absl::Status StatusFromCode(int code, std::string_view message) {
  const std::string text = fmt::format("etcd says: {}{}", message, Cure(code, message));
  // The second is what a token of the kind JWT gets after any change of users or roles.
  if (message.find("invalid auth token") != std::string_view::npos ||
      message.find("auth store is old") != std::string_view::npos) {
    return absl::UnauthenticatedError(text);
  }
  switch (code) {
    case kGrpcInvalidArgument:
      return absl::InvalidArgumentError(text);
    case kGrpcPermissionDenied:
      return absl::PermissionDeniedError(text);
    case kGrpcFailedPrecondition:
      return absl::FailedPreconditionError(text);
    case kGrpcOutOfRange:
      return absl::OutOfRangeError(text);
    case kGrpcUnauthenticated:
      return absl::UnauthenticatedError(text);
    default:
      return absl::UnavailableError(text);
  }
}

absl::Status ReadError(const rapidjson::Value& object) {
  int code = 0;
  for (const char* name : {"code", "grpc_code"}) {
    const rapidjson::Value* value = Find(object, name);
    if (value != nullptr && value->IsInt()) code = value->GetInt();
  }
  std::string message = ReadText(object, "message");
  if (message.empty()) message = ReadText(object, "error");
  return StatusFromCode(code, message);
}

}  // namespace

std::string PrefixEnd(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
  if (end.empty()) return std::string(1, '\0');  // all keys from the first one on
  end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

std::string RangeRequest(std::string_view key, std::string_view end, std::int64_t revision,
                         int limit) {
  rapidjson::StringBuffer buffer;
  JsonWriter json(buffer);
  json.StartObject();
  BytesMember(json, "key", key);
  BytesMember(json, "range_end", end);
  if (revision != 0) Member(json, "revision", std::to_string(revision));
  if (limit != 0) Member(json, "limit", std::to_string(limit));
  json.EndObject();
  return ToText(buffer);
}

std::string WatchRequest(std::string_view key, std::string_view end, std::int64_t start_revision) {
  rapidjson::StringBuffer buffer;
  JsonWriter json(buffer);
  json.StartObject();
  json.Key("create_request");
  json.StartObject();
  BytesMember(json, "key", key);
  BytesMember(json, "range_end", end);
  Member(json, "start_revision", std::to_string(start_revision));
  json.Key("progress_notify");
  json.Bool(true);
  json.EndObject();
  json.EndObject();
  return ToText(buffer);
}

std::string PutRequest(std::string_view key, std::string_view value, std::int64_t lease) {
  rapidjson::StringBuffer buffer;
  JsonWriter json(buffer);
  json.StartObject();
  BytesMember(json, "key", key);
  BytesMember(json, "value", value);
  if (lease != 0) Member(json, "lease", std::to_string(lease));
  json.EndObject();
  return ToText(buffer);
}

std::string DeleteRequest(std::string_view key) {
  rapidjson::StringBuffer buffer;
  JsonWriter json(buffer);
  json.StartObject();
  BytesMember(json, "key", key);
  json.EndObject();
  return ToText(buffer);
}

std::string LeaseRequest(std::int64_t seconds) {
  return fmt::format(R"({{"TTL":"{}"}})", seconds);
}

std::string AuthenticateRequest(std::string_view name, std::string_view password) {
  rapidjson::StringBuffer buffer;
  JsonWriter json(buffer);
  json.StartObject();
  Member(json, "name", name);
  Member(json, "password", password);
  json.EndObject();
  return ToText(buffer);
}

absl::StatusOr<RangeResponse> ParseRangeResponse(std::string_view text) {
  rapidjson::Document document;
  FELIX_RETURN_IF_ERROR(Parse(text, document));
  RangeResponse response;
  const rapidjson::Value* header = Find(document, "header");
  if (header == nullptr) return Malformed("no header");
  FELIX_RETURN_IF_ERROR(ReadNumber(*header, "revision", response.revision));
  FELIX_RETURN_IF_ERROR(ReadNumber(*header, "cluster_id", response.cluster_id));
  if (response.revision <= 0) return Malformed("no revision");
  response.more = ReadBoolean(document, "more");
  const rapidjson::Value* values = Find(document, "kvs");
  if (values == nullptr) return response;
  if (!values->IsArray()) return Malformed("'kvs' is not a list");
  response.values.reserve(values->Size());
  for (const rapidjson::Value& value : values->GetArray()) {
    FELIX_RETURN_IF_ERROR(ReadKeyValue(value, response.values.emplace_back()));
  }
  return response;
}

absl::StatusOr<WatchMessage> ParseWatchMessage(std::string_view line) {
  rapidjson::Document document;
  FELIX_RETURN_IF_ERROR(Parse(line, document));
  if (const rapidjson::Value* error = Find(document, "error")) {
    return ReadError(error->IsObject() ? *error : document);
  }
  const rapidjson::Value* result = Find(document, "result");
  if (result == nullptr) return Malformed("neither a result nor an error");
  WatchMessage message;
  if (const rapidjson::Value* header = Find(*result, "header")) {
    FELIX_RETURN_IF_ERROR(ReadNumber(*header, "revision", message.revision));
  }
  message.created = ReadBoolean(*result, "created");
  message.canceled = ReadBoolean(*result, "canceled");
  message.cancel_reason = ReadText(*result, "cancel_reason");
  FELIX_RETURN_IF_ERROR(ReadNumber(*result, "compact_revision", message.compact_revision));
  const rapidjson::Value* events = Find(*result, "events");
  if (events == nullptr) return message;
  if (!events->IsArray()) return Malformed("'events' is not a list");
  message.events.reserve(events->Size());
  for (const rapidjson::Value& event : events->GetArray()) {
    FELIX_RETURN_IF_ERROR(ReadEvent(event, message.events.emplace_back()));
  }
  return message;
}

absl::StatusOr<std::string> ParseToken(std::string_view text) {
  rapidjson::Document document;
  FELIX_RETURN_IF_ERROR(Parse(text, document));
  std::string token = ReadText(document, "token");
  if (token.empty()) return Malformed("no token");
  return token;
}

absl::StatusOr<std::int64_t> ParseLease(std::string_view text) {
  rapidjson::Document document;
  FELIX_RETURN_IF_ERROR(Parse(text, document));
  std::int64_t lease = 0;
  FELIX_RETURN_IF_ERROR(ReadNumber(document, "ID", lease));
  if (lease == 0) return Malformed("no lease");
  return lease;
}

absl::Status StatusFromError(int http_status, std::string_view body) {
  if (http_status == 404 && body.find('{') == std::string_view::npos) {
    return absl::UnimplementedError("etcd has no such path in its gateway");
  }
  rapidjson::Document document;
  if (!Parse(body, document).ok()) {
    return absl::UnavailableError(fmt::format("etcd answers with status {}: '{}'{}", http_status,
                                              body.substr(0, 80), Cure(0, body)));
  }
  absl::Status status = ReadError(document);
  if (http_status == 401) return absl::UnauthenticatedError(status.message());
  return status;
}

}  // namespace felix::datastore
