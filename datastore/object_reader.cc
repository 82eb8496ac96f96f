// SPDX-License-Identifier: Apache-2.0
#include "datastore/object_reader.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "fmt/format.h"

#include "model/base/strings.h"

namespace felix::datastore {
namespace {

const DocumentNode& EmptyObject() {
  static const DocumentNode* const kEmpty = new DocumentNode(DocumentNode::Object({}));
  return *kEmpty;
}

void WrongType(const Field& field, std::string_view wanted, Faults& faults) {
  faults.Add(*field.node, field.path,
             fmt::format("is {}, not {}", Describe(field.node->kind()), wanted));
}

}  // namespace

void Faults::Add(const DocumentNode& node, std::string field, std::string reason) {
  Add(node.position(), std::move(field), std::move(reason));
}

void Faults::Add(Position position, std::string field, std::string reason) {
  if (count_++ > 0) return;
  position_ = position;
  field_ = std::move(field);
  reason_ = std::move(reason);
}

Field Field::Element(std::size_t index) const {
  return {&node->children()[index], fmt::format("{}[{}]", path, index)};
}

ObjectReader::ObjectReader(const Field& field, Faults& faults)
    : node_(field.node->kind() == DocumentNode::Kind::kObject ? *field.node : EmptyObject()),
      path_(field.path),
      faults_(faults) {
  if (field.node->kind() != DocumentNode::Kind::kObject && !field.node->IsNull()) {
    WrongType(field, "an object", faults);
  }
}

std::string ObjectReader::Path(std::string_view name) const {
  return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

void ObjectReader::Fault(std::string_view name, std::string reason) {
  const DocumentNode* member = node_.Find(name);
  faults_.Add(member != nullptr ? *member : node_, Path(name), std::move(reason));
}

std::optional<Field> ObjectReader::Find(std::string_view name) {
  asked_.push_back(name);
  const DocumentNode* member = node_.Find(name);
  if (member == nullptr || member->IsNull()) return std::nullopt;
  return Field{member, Path(name)};
}

std::optional<std::string> ReadString(const Field& field, Faults& faults) {
  if (field.node->kind() == DocumentNode::Kind::kString) return field.node->string();
  WrongType(field, "a string", faults);
  return std::nullopt;
}

std::optional<std::string> ObjectReader::String(std::string_view name) {
  const std::optional<Field> field = Find(name);
  return field ? ReadString(*field, faults_) : std::nullopt;
}

std::string ObjectReader::StringOrEmpty(std::string_view name) {
  return String(name).value_or(std::string());
}

bool ObjectReader::BooleanOrFalse(std::string_view name) {
  const std::optional<Field> field = Find(name);
  if (!field) return false;
  if (field->node->kind() == DocumentNode::Kind::kBoolean) return field->node->boolean();
  WrongType(*field, "a boolean", faults_);
  return false;
}

std::optional<std::int64_t> ObjectReader::Integer(std::string_view name, std::int64_t min,
                                                  std::int64_t max) {
  const std::optional<Field> field = Find(name);
  if (!field) return std::nullopt;
  if (field->node->kind() != DocumentNode::Kind::kInteger) {
    WrongType(*field, "an integer", faults_);
    return std::nullopt;
  }
  const std::int64_t value = field->node->integer();
  if (value < min || value > max) {
    faults_.Add(*field->node, field->path, fmt::format("{} is not in {}..{}", value, min, max));
    return std::nullopt;
  }
  return value;
}

std::optional<double> ObjectReader::Number(std::string_view name) {
  const std::optional<Field> field = Find(name);
  if (!field) return std::nullopt;
  const DocumentNode::Kind kind = field->node->kind();
  if (kind != DocumentNode::Kind::kInteger && kind != DocumentNode::Kind::kNumber) {
    WrongType(*field, "a number", faults_);
    return std::nullopt;
  }
  if (!std::isfinite(field->node->number())) {
    faults_.Add(*field->node, field->path, "is not a finite number");
    return std::nullopt;
  }
  return field->node->number();
}

std::vector<Field> ObjectReader::List(std::string_view name) {
  const std::optional<Field> field = Find(name);
  if (!field) return {};
  if (field->node->kind() != DocumentNode::Kind::kList) {
    WrongType(*field, "a list", faults_);
    return {};
  }
  std::vector<Field> elements;
  elements.reserve(field->node->children().size());
  for (std::size_t i = 0; i < field->node->children().size(); ++i) {
    elements.push_back(field->Element(i));
  }
  return elements;
}

std::vector<std::string> ObjectReader::Strings(std::string_view name) {
  std::vector<std::string> strings;
  for (const Field& element : List(name)) {
    if (auto text = ReadString(element, faults_)) strings.push_back(*std::move(text));
  }
  return strings;
}

std::vector<model::LabelSet::Entry> ObjectReader::StringMap(std::string_view name) {
  const std::optional<Field> field = Find(name);
  if (!field) return {};
  if (field->node->kind() != DocumentNode::Kind::kObject) {
    WrongType(*field, "an object", faults_);
    return {};
  }
  std::vector<model::LabelSet::Entry> entries;
  for (std::size_t i = 0; i < field->node->children().size(); ++i) {
    const std::string& key = field->node->keys()[i];
    const Field value{&field->node->children()[i], fmt::format("{}.{}", field->path, key)};
    if (value.node->IsNull()) {
      entries.emplace_back(key, "");
    } else if (auto text = ReadString(value, faults_)) {
      entries.emplace_back(key, *std::move(text));
    }
  }
  return entries;
}

std::optional<std::string_view> ObjectReader::AskedInAnotherCase(std::string_view key) const {
  for (const std::string_view name : asked_) {
    if (absl::EqualsIgnoreCase(ToAbsl(name), ToAbsl(key))) return name;
  }
  return std::nullopt;
}

bool ObjectReader::IsNull(std::string_view name) const {
  const DocumentNode* member = node_.Find(name);
  return member != nullptr && member->IsNull();
}

void ObjectReader::RefuseNulls() {
  for (std::size_t i = 0; i < node_.keys().size(); ++i) {
    const DocumentNode& member = node_.children()[i];
    if (member.IsNull()) faults_.Add(member, Path(node_.keys()[i]), "is null");
  }
}

void ObjectReader::RefuseUnknown() {
  RefuseStrangers(true);
}

void ObjectReader::RefuseMisspelt() {
  RefuseStrangers(false);
}

void ObjectReader::RefuseStrangers(bool unknown_too) {
  for (std::size_t i = 0; i < node_.keys().size(); ++i) {
    const std::string& key = node_.keys()[i];
    if (std::find(asked_.begin(), asked_.end(), key) != asked_.end()) continue;
    if (const auto name = AskedInAnotherCase(key)) {
      faults_.Add(node_.children()[i], Path(key), fmt::format("must be spelled '{}'", *name));
    } else if (unknown_too) {
      faults_.Add(node_.children()[i], Path(key), "unknown field");
    }
  }
}

}  // namespace felix::datastore
