// SPDX-License-Identifier: Apache-2.0
#include "datastore/snapshot/etcd_json.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "fmt/format.h"
#include "rapidjson/error/en.h"
#include "rapidjson/reader.h"

#include "model/base/strings.h"

namespace felix::datastore {
namespace {

constexpr std::string_view kBlank = " \t\r\n";

// Where in an answer a value stands, as far as it matters.
enum class Place : std::uint8_t { kOther, kHeader, kValues, kEvents, kEvent, kKeyValue };

// Hears one answer. Names are compared without regard to their first letter's case.
class AnswerHandler : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, AnswerHandler> {
 public:
  explicit AnswerHandler(EventSink& sink) : sink_(sink) {}

  bool StartObject() {
    const Place place = Enter();
    if (place == Place::kKeyValue) now_ = {};
    if (place == Place::kEvent) is_delete_ = false;
    places_.push_back(place);
    return true;
  }
  bool EndObject(rapidjson::SizeType) {
    const Place place = places_.back();
    places_.pop_back();
    if (places_.empty()) EndAnswer();
    const bool in_list = !places_.empty() && places_.back() == Place::kValues;
    if (place == Place::kKeyValue && in_list) return EmitListed();
    return place == Place::kEvent ? EmitEvent() : true;
  }
  bool StartArray() {
    places_.push_back(key_ == "kvs"      ? Place::kValues
                      : key_ == "events" ? Place::kEvents
                                         : Place::kOther);
    if (places_.back() == Place::kValues) list_is_new_ = is_list_ = true;
    return true;
  }
  bool EndArray(rapidjson::SizeType) {
    places_.pop_back();
    return true;
  }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    key_.assign(text, size);
    if (!key_.empty() && key_[0] >= 'A' && key_[0] <= 'Z') {
      key_[0] = static_cast<char>(key_[0] - 'A' + 'a');
    }
    return true;
  }
  bool String(const char* text, rapidjson::SizeType size, bool) { return Scalar({text, size}); }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool) { return Scalar({text, size}); }

  // Forgets an answer that broke off.
  void Abandon() {
    places_.clear();
    key_.clear();
    fault_.clear();
    is_list_ = false;
    known_ = std::max(known_, step_);
  }
  [[nodiscard]] const std::string& fault() const { return fault_; }
  [[nodiscard]] bool enough() const { return enough_; }

 private:
  struct Pair {
    std::string key;
    std::string value;
    std::int64_t revision = 0;
  };

  // A watch's header bears the store's revision, which may be far ahead of what the answer tells.
  void EndAnswer() {
    known_ = std::max(known_, is_list_ ? revision_ : step_);
    is_list_ = false;
  }

  [[nodiscard]] Place Enter() const {
    if (places_.empty()) return Place::kOther;
    switch (places_.back()) {
      case Place::kValues:
        return Place::kKeyValue;
      case Place::kEvents:
        return Place::kEvent;
      case Place::kEvent:
        return key_ == "kv" ? Place::kKeyValue : Place::kOther;
      default:
        return key_ == "header" ? Place::kHeader : Place::kOther;
    }
  }

  bool Fail(std::string reason) {
    fault_ = std::move(reason);
    return false;
  }

  bool Scalar(std::string_view text) {
    if (places_.empty()) return Fail("not an object");
    if (places_.back() == Place::kEvent && key_ == "type") {
      is_delete_ = text == "1" || text == "DELETE";
    }
    if (places_.back() == Place::kHeader && key_ == "revision") return Number(text, revision_);
    if (places_.back() != Place::kKeyValue) return true;
    if (key_ == "mod_revision") return Number(text, now_.revision);
    if (key_ == "key") return Bytes(text, now_.key);
    return key_ == "value" ? Bytes(text, now_.value) : true;
  }
  bool Number(std::string_view text, std::int64_t& number) {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error == std::errc() && stop == end) return true;
    return Fail(fmt::format("'{}' is not a revision", text.substr(0, 40)));
  }
  bool Bytes(std::string_view text, std::string& bytes) {
    if (absl::Base64Unescape(ToAbsl(text), &bytes)) return true;
    return Fail(fmt::format("'{}' is not in base64", key_));
  }

  bool Begin(std::int64_t revision) {
    if (step_ == revision && !list_is_new_) return true;
    list_is_new_ = false;
    step_ = revision;
    enough_ = !sink_.BeginStep({revision, std::nullopt});
    return !enough_;
  }
  bool EmitListed() {
    if (now_.key.empty()) return Fail("a value without a key");
    if (!Begin(revision_)) return false;
    sink_.OnValue(now_.key, now_.value);
    return true;
  }
  bool EmitEvent() {
    if (now_.key.empty()) return Fail("an event without a key");
    if (now_.revision <= known_) return true;
    if (!Begin(now_.revision)) return false;
    if (is_delete_) {
      sink_.OnRemoval(now_.key);
    } else {
      sink_.OnValue(now_.key, now_.value);
    }
    return true;
  }

  EventSink& sink_;
  std::vector<Place> places_;
  std::string key_;
  Pair now_;
  bool is_delete_ = false;
  bool is_list_ = false;       // the answer is one to a range request
  bool list_is_new_ = false;   // and nothing of it was told yet
  std::int64_t revision_ = 0;  // of the answer's header
  std::int64_t step_ = -1;     // of the step that was begun last
  std::int64_t known_ = 0;     // events up to here are told already
  std::string fault_;
  bool enough_ = false;
};

std::string Reason(const AnswerHandler& handler, const rapidjson::ParseResult& result) {
  if (!handler.fault().empty()) return handler.fault();
  std::string reason = rapidjson::GetParseError_En(result.Code());
  if (!reason.empty() && reason[0] >= 'A' && reason[0] <= 'Z') {
    reason[0] = static_cast<char>(reason[0] - 'A' + 'a');
  }
  while (!reason.empty() && reason.back() == '.') reason.pop_back();
  return reason;
}

}  // namespace

bool LooksLikeEtcdJson(std::string_view head) {
  const std::size_t brace = head.find_first_not_of(kBlank);
  if (brace == std::string_view::npos || head[brace] != '{') return false;
  head.remove_prefix(brace + 1);
  const std::size_t name = head.find_first_not_of(kBlank);
  if (name == std::string_view::npos) return false;
  head.remove_prefix(name);
  for (const std::string_view first : {"\"header\"", "\"Header\"", "\"result\"", "\"kvs\""}) {
    if (head.starts_with(first)) return true;
  }
  return false;
}

absl::Status ReadEtcdJson(ByteReader& reader, EventSink& sink) {
  AnswerHandler handler(sink);
  rapidjson::Reader parser;
  constexpr unsigned kFlags = rapidjson::kParseStopWhenDoneFlag | rapidjson::kParseIterativeFlag |
                              rapidjson::kParseNumbersAsStringsFlag;
  while (true) {
    while (kBlank.find(reader.Peek()) != std::string_view::npos) reader.Take();
    if (reader.AtEnd()) return reader.status();
    const rapidjson::ParseResult result = parser.Parse<kFlags>(reader, handler);
    if (handler.enough()) return absl::OkStatus();
    if (!result.IsError()) continue;
    if (!reader.status().ok()) return reader.status();
    if (!sink.OnDamage(reader.position(), Reason(handler, result))) return absl::OkStatus();
    handler.Abandon();
    reader.SkipLine();
  }
}

}  // namespace felix::datastore
