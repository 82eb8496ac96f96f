// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <exception>
#include <limits>
#include <sstream>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/numbers.h"
#include "fmt/format.h"
#include "yaml-cpp/eventhandler.h"
#include "yaml-cpp/exceptions.h"
#include "yaml-cpp/mark.h"
#include "yaml-cpp/parser.h"

#include "datastore/resource_document.h"
#include "datastore/tree_builder.h"
#include "model/base/strings.h"

namespace felix::datastore {
namespace {

constexpr std::string_view kDigits = "0123456789";

bool AllDigits(std::string_view text) {
  return !text.empty() && text.find_first_not_of(kDigits) == std::string_view::npos;
}

Position At(const YAML::Mark& mark) {
  return mark.is_null() ? Position{} : Position{mark.line + 1, mark.column + 1};
}

std::optional<DocumentNode> ParseRadix(std::string_view text, Position position) {
  const int radix = text.starts_with("0x") ? 16 : text.starts_with("0o") ? 8 : 0;
  if (radix == 0 || text.size() < 3) return std::nullopt;
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + 2, end, value, radix);
  if (error != std::errc() || stop != end || text[2] == '-') return std::nullopt;
  return DocumentNode::Integer(value, position);
}

std::optional<DocumentNode> ParseDecimal(std::string_view text, Position position) {
  std::string_view magnitude = text;
  if (magnitude.starts_with('-') || magnitude.starts_with('+')) magnitude.remove_prefix(1);
  if (!AllDigits(magnitude)) return std::nullopt;
  if (magnitude.size() > 1 && magnitude[0] == '0')
    return DocumentNode::String(std::string(text), position);
  std::int64_t value = 0;
  if (absl::SimpleAtoi(ToAbsl(text), &value)) return DocumentNode::Integer(value, position);
  return std::nullopt;
}

std::optional<DocumentNode> ParseFloat(std::string_view text, Position position) {
  if (text == ".inf" || text == "+.inf" || text == "-.inf" || text == ".nan") {
    return DocumentNode::Number(std::numeric_limits<double>::quiet_NaN(), position);
  }
  // [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?
  std::string_view rest = text;
  if (rest.starts_with('-') || rest.starts_with('+')) rest.remove_prefix(1);
  if (rest.empty() || (rest[0] != '.' && kDigits.find(rest[0]) == std::string_view::npos)) {
    return std::nullopt;
  }
  if (rest.find_first_not_of("0123456789.eE+-") != std::string_view::npos) return std::nullopt;
  double value = 0;
  if (!absl::SimpleAtod(ToAbsl(text), &value)) return std::nullopt;
  return DocumentNode::Number(value, position);
}

DocumentNode PlainScalar(const std::string& text, Position position) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") {
    return DocumentNode::Null(position);
  }
  if (text == "true" || text == "True" || text == "TRUE") {
    return DocumentNode::Boolean(true, position);
  }
  if (text == "false" || text == "False" || text == "FALSE") {
    return DocumentNode::Boolean(false, position);
  }
  if (auto node = ParseRadix(text, position)) return *std::move(node);
  if (auto node = ParseDecimal(text, position)) return *std::move(node);
  if (auto node = ParseFloat(text, position)) return *std::move(node);
  return DocumentNode::String(text, position);
}

// yaml-cpp knows errors only as exceptions, so a fault of ours leaves its parser as one of its own
// and is caught where the parser is called.
class YamlHandler final : public YAML::EventHandler {
 public:
  YamlHandler(std::string_view text, std::vector<DocumentNode>& documents)
      : text_(text), documents_(documents) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    anchors_.clear();
    // yaml-cpp takes whatever follows a complete document for the next one, which would make two
    // objects of one with a slip in its indentation.
    if (!first_ && !(mark.column == 0 && Line(mark.line).starts_with("---"))) {
      Fail(mark, "text behind the end of the document; another one begins with ---");
    }
    first_ = false;
  }
  void OnDocumentEnd() override {
    std::optional<DocumentNode> document = builder_.Take();
    if (document && !document->IsNull()) documents_.push_back(*std::move(document));
  }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Add(DocumentNode::Null(At(mark)), mark, anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto target = anchors_.find(anchor);
    if (target == anchors_.end()) Fail(mark, "alias to a node that is not complete");
    const DocumentNode::Extent extent = target->second.Measure();
    if (builder_.depth() + extent.depth > static_cast<std::size_t>(kMaxDocumentDepth)) {
      Fail(mark, fmt::format("nested deeper than {}", kMaxDocumentDepth));
    }
    aliased_nodes_ += extent.nodes;
    if (aliased_nodes_ > kMaxAliasedNodes) {
      Fail(mark, fmt::format("aliases repeat more than {} nodes", kMaxAliasedNodes));
    }
    Add(target->second, mark, YAML::NullAnchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (value.find('\0') != std::string::npos) Fail(mark, "NUL character in a scalar");
    if (FindInvalidUtf8(value)) Fail(mark, "scalar is not valid Unicode");
    if (tag.empty() || tag == "?") {
      if (value == "<<" && builder_.ExpectsKey()) Fail(mark, "merge keys are not supported");
      Add(PlainScalar(value, At(mark)), value, mark, anchor);
    } else if (tag == "!" || tag == "tag:yaml.org,2002:str") {
      Add(DocumentNode::String(value, At(mark)), value, mark, anchor);
    } else {
      Fail(mark, fmt::format("tag {} is not supported", tag));
    }
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(DocumentNode::List(At(mark)), mark, tag, anchor);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(DocumentNode::Object(At(mark)), mark, tag, anchor);
  }
  void OnMapEnd() override { Close(); }

 private:
  [[noreturn]] static void Fail(const YAML::Mark& mark, const std::string& reason) {
    throw YAML::ParserException(mark, reason);
  }
  static void Check(const YAML::Mark& mark, const std::optional<TextFault>& fault) {
    if (fault) Fail(mark, fault->reason);
  }

  void Add(DocumentNode node, const YAML::Mark& mark, YAML::anchor_t anchor) {
    const std::string text = node.kind() == DocumentNode::Kind::kString ? node.string() : "";
    if (builder_.ExpectsKey() && node.kind() != DocumentNode::Kind::kString) {
      Fail(mark, "key is not a string");
    }
    Add(std::move(node), text, mark, anchor);
  }

  void Add(DocumentNode node, const std::string& text, const YAML::Mark& mark,
           YAML::anchor_t anchor) {
    if (builder_.ExpectsKey()) {
      if (node.IsNull()) Fail(mark, "key is null");
      Check(mark, builder_.Key(text, At(mark)));
      if (anchor != YAML::NullAnchor) {
        anchors_.insert_or_assign(anchor, DocumentNode::String(text, At(mark)));
      }
      return;
    }
    builder_.Value(std::move(node));
    Remember(anchor);
  }

  void Open(DocumentNode node, const YAML::Mark& mark, const std::string& tag,
            YAML::anchor_t anchor) {
    if (!tag.empty() && tag != "?" && tag != "!") {
      Fail(mark, fmt::format("tag {} is not supported", tag));
    }
    if (builder_.ExpectsKey()) Fail(mark, "key is not a string");
    Check(mark, builder_.Open(std::move(node)));
    open_anchors_.push_back(anchor);
  }

  void Close() {
    builder_.Close();
    const YAML::anchor_t anchor = open_anchors_.back();
    open_anchors_.pop_back();
    Remember(anchor);
  }

  void Remember(YAML::anchor_t anchor) {
    if (anchor == YAML::NullAnchor) return;
    const DocumentNode& node = builder_.last_completed();
    // An anchor keeps a copy, so anchors at every level of a deep tree would add up as aliases do.
    aliased_nodes_ += node.Measure().nodes;
    if (aliased_nodes_ > kMaxAliasedNodes) {
      throw YAML::ParserException(YAML::Mark(),
                                  fmt::format("anchors hold more than {} nodes", kMaxAliasedNodes));
    }
    anchors_.insert_or_assign(anchor, node);
  }

  // Lines are asked for in order, so the search goes on where it ended.
  std::string_view Line(int line) {
    while (line_ < line) {
      const std::size_t newline = text_.find('\n');
      if (newline == std::string_view::npos) return {};
      text_.remove_prefix(newline + 1);
      ++line_;
    }
    return text_;
  }

  std::string_view text_;  // from the start of line_ on
  int line_ = 0;
  bool first_ = true;
  std::vector<DocumentNode>& documents_;
  TreeBuilder builder_;
  std::vector<YAML::anchor_t> open_anchors_;
  absl::flat_hash_map<YAML::anchor_t, DocumentNode> anchors_;
  std::size_t aliased_nodes_ = 0;
};

}  // namespace

ParsedText ParseYaml(std::string_view text) {
  ParsedText parsed;
  parsed.fault = CheckText(text);
  if (parsed.fault) return parsed;
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    YamlHandler handler(text, parsed.documents);
    while (parser.HandleNextDocument(handler)) {
    }
  } catch (const YAML::Exception& error) {
    parsed.fault = TextFault{At(error.mark), error.msg};
  } catch (const std::exception& error) {
    parsed.fault = TextFault{{}, error.what()};
  }
  if (parsed.fault) parsed.documents.clear();
  return parsed;
}

}  // namespace felix::datastore
