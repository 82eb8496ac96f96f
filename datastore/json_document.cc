// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <system_error>

#include "absl/strings/charconv.h"
#include "fmt/format.h"
#include "rapidjson/error/en.h"
#include "rapidjson/reader.h"

#include "datastore/resource_document.h"
#include "datastore/tree_builder.h"

namespace felix::datastore {
namespace {

// RapidJSON's input stream over a view. Not declared copyable to RapidJSON, so that the handler
// sees how far the reader is.
class ViewStream {
 public:
  using Ch = char;

  explicit ViewStream(std::string_view text) : text_(text) {}
  [[nodiscard]] Ch Peek() const { return offset_ < text_.size() ? text_[offset_] : '\0'; }
  Ch Take() { return offset_ < text_.size() ? text_[offset_++] : '\0'; }
  [[nodiscard]] std::size_t Tell() const { return offset_; }

  // The writing half of the concept, which a reader that does not work in place never calls.
  Ch* PutBegin() { return nullptr; }
  void Put(Ch) {}
  void Flush() {}
  std::size_t PutEnd(Ch*) { return 0; }

 private:
  std::string_view text_;
  std::size_t offset_ = 0;
};

class LineIndex {
 public:
  LineIndex(std::string_view text, int first_line) : first_line_(first_line) {
    starts_.push_back(0);
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') starts_.push_back(i + 1);
    }
  }
  [[nodiscard]] Position At(std::size_t offset) const {
    const auto next = std::upper_bound(starts_.begin(), starts_.end(), offset);
    return {static_cast<int>(next - starts_.begin()) + first_line_ - 1,
            static_cast<int>(offset - *(next - 1)) + 1};
  }

 private:
  int first_line_;
  std::vector<std::size_t> starts_;
};

// Where the token that ends just before `end` begins: the reader reports a scalar only once it has
// read it.
std::size_t TokenStart(std::string_view text, std::size_t end) {
  if (end == 0) return 0;
  std::size_t i = end - 1;
  if (text[i] != '"') {
    while (i > 0 && std::string_view(" \t\r\n,:[{").find(text[i - 1]) == std::string_view::npos)
      --i;
    return i;
  }
  // Every quote inside a string stands behind an odd number of backslashes; the first does not.
  while (i > 0) {
    --i;
    if (text[i] != '"') continue;
    std::size_t backslashes = 0;
    while (backslashes < i && text[i - 1 - backslashes] == '\\') ++backslashes;
    if (backslashes % 2 == 0) return i;
  }
  return 0;
}

class JsonHandler {
 public:
  JsonHandler(std::string_view text, const ViewStream& stream, int first_line)
      : text_(text), stream_(stream), lines_(text, first_line) {}

  bool Null() { return Add(DocumentNode::Null(TokenPosition())); }
  bool Bool(bool value) { return Add(DocumentNode::Boolean(value, TokenPosition())); }
  // The reader is told to leave numbers as they are: its own way to a double has no defined outcome
  // for a zero with an exponent.
  bool RawNumber(const char* data, rapidjson::SizeType size, bool) {
    const char* const end = data + size;
    std::int64_t integer = 0;
    if (const auto [stop, error] = std::from_chars(data, end, integer);
        error == std::errc() && stop == end) {
      return Add(DocumentNode::Integer(integer, TokenPosition()));
    }
    double number = 0;
    const auto [stop, error] = absl::from_chars(data, end, number);
    if (stop != end || (error != std::errc() && std::abs(number) > 1)) {
      return Fail({TokenPosition(), "number too big to be stored in double"});
    }
    return Add(DocumentNode::Number(number, TokenPosition()));
  }
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }
  bool String(const char* data, rapidjson::SizeType size, bool) {
    std::string value(data, size);
    // Escapes can spell surrogates that the check of the text as a whole cannot see.
    if (FindInvalidUtf8(value)) return Fail({TokenPosition(), "string is not valid Unicode"});
    return Add(DocumentNode::String(std::move(value), TokenPosition()));
  }
  bool Key(const char* data, rapidjson::SizeType size, bool) {
    std::string key(data, size);
    if (FindInvalidUtf8(key)) return Fail({TokenPosition(), "key is not valid Unicode"});
    return Check(builder_.Key(std::move(key), TokenPosition()));
  }
  bool StartObject() { return Check(builder_.Open(DocumentNode::Object(BracketPosition()))); }
  bool StartArray() { return Check(builder_.Open(DocumentNode::List(BracketPosition()))); }
  bool EndObject(rapidjson::SizeType) {
    builder_.Close();
    return true;
  }
  bool EndArray(rapidjson::SizeType size) { return EndObject(size); }

  [[nodiscard]] const std::optional<TextFault>& fault() const { return fault_; }
  [[nodiscard]] Position At(std::size_t offset) const { return lines_.At(offset); }
  std::optional<DocumentNode> Take() { return builder_.Take(); }

 private:
  bool Add(DocumentNode node) {
    builder_.Value(std::move(node));
    return true;
  }
  bool Check(std::optional<TextFault> fault) { return fault ? Fail(*std::move(fault)) : true; }
  bool Fail(TextFault fault) {
    fault_ = std::move(fault);
    return false;
  }
  [[nodiscard]] Position TokenPosition() const {
    return lines_.At(TokenStart(text_, stream_.Tell()));
  }
  // The iterative reader reports an opening bracket before it takes it.
  [[nodiscard]] Position BracketPosition() const { return lines_.At(stream_.Tell()); }

  std::string_view text_;
  const ViewStream& stream_;
  LineIndex lines_;
  TreeBuilder builder_;
  std::optional<TextFault> fault_;
};

std::string LowerCaseReason(rapidjson::ParseErrorCode code) {
  std::string reason = rapidjson::GetParseError_En(code);
  if (!reason.empty() && reason[0] >= 'A' && reason[0] <= 'Z') {
    reason[0] = static_cast<char>(reason[0] - 'A' + 'a');
  }
  while (!reason.empty() && reason.back() == '.') reason.pop_back();
  return reason;
}

}  // namespace

ParsedText ParseJson(std::string_view text, int first_line) {
  ParsedText parsed;
  parsed.fault = CheckText(text);
  if (parsed.fault) return parsed;
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return parsed;

  ViewStream stream(text);
  JsonHandler handler(text, stream, first_line);
  rapidjson::Reader reader;
  constexpr unsigned kFlags =
      rapidjson::kParseIterativeFlag | rapidjson::kParseNumbersAsStringsFlag;
  const rapidjson::ParseResult result = reader.Parse<kFlags>(stream, handler);
  if (handler.fault()) {
    parsed.fault = handler.fault();
  } else if (result.IsError()) {
    parsed.fault = TextFault{handler.At(std::min(result.Offset(), text.size())),
                             LowerCaseReason(result.Code())};
  } else if (std::optional<DocumentNode> document = handler.Take()) {
    if (!document->IsNull()) parsed.documents.push_back(*std::move(document));
  }
  return parsed;
}

ParsedText ParseJsonOrJsonLines(std::string_view text) {
  ParsedText lines;
  lines.fault = CheckText(text);
  if (lines.fault) return lines;
  constexpr std::string_view kBlank = " \t\r\n";
  int number = 1;
  for (std::string_view rest = text; !rest.empty(); ++number) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.find_first_not_of(kBlank) == std::string_view::npos) continue;
    ParsedText parsed = ParseJson(line, number);
    if (lines.documents.empty()) {
      const bool complete = !parsed.fault && parsed.documents.size() == 1 &&
                            parsed.documents[0].kind() == DocumentNode::Kind::kObject;
      if (!complete || rest.find_first_not_of(kBlank) == std::string_view::npos) {
        return ParseJson(text);
      }
    }
    if (parsed.fault) return {{}, std::move(parsed.fault)};
    for (DocumentNode& document : parsed.documents) lines.documents.push_back(std::move(document));
  }
  return lines;
}

}  // namespace felix::datastore
