// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "datastore/resource_document.h"
#include "model/labels.h"

namespace felix::datastore {

// What is wrong with an object. Reading goes on after a fault, so that what can still be read is;
// the first fault is the one to report.
class Faults {
 public:
  void Add(const DocumentNode& node, std::string field, std::string reason);
  void Add(Position position, std::string field, std::string reason);

  [[nodiscard]] bool empty() const { return count_ == 0; }
  // Grows with every fault: tells whether a step of reading added any.
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] const std::string& field() const { return field_; }
  [[nodiscard]] const std::string& reason() const { return reason_; }
  [[nodiscard]] Position position() const { return position_; }

 private:
  std::size_t count_ = 0;
  std::string field_;
  std::string reason_;
  Position position_;
};

// A value together with the path that names it in messages: spec.ingress[0].source.
struct Field {
  const DocumentNode* node = nullptr;  // never null where a Field is handed over
  std::string path;

  [[nodiscard]] Field Element(std::size_t index) const;
};

// Reads the members of one object by name and type. Null is the same as absent, as in Go's JSON; a
// member of the wrong type is a fault and reads as absent. Borrows the tree and the faults.
class ObjectReader {
 public:
  // If `field` is not an object, that is a fault and it reads as an empty one; null is empty too.
  ObjectReader(const Field& field, Faults& faults);

  [[nodiscard]] std::optional<Field> Find(std::string_view name);
  [[nodiscard]] bool IsNull(std::string_view name) const;
  [[nodiscard]] std::optional<std::string> String(std::string_view name);
  [[nodiscard]] std::string StringOrEmpty(std::string_view name);
  [[nodiscard]] bool BooleanOrFalse(std::string_view name);
  // Whole numbers only, and written as such: 4.0 is a fault.
  [[nodiscard]] std::optional<std::int64_t> Integer(std::string_view name, std::int64_t min,
                                                    std::int64_t max);
  // Finite numbers only.
  [[nodiscard]] std::optional<double> Number(std::string_view name);
  // The elements; empty if absent.
  [[nodiscard]] std::vector<Field> List(std::string_view name);
  // Elements that are not strings are faults and left out.
  [[nodiscard]] std::vector<std::string> Strings(std::string_view name);
  // An object whose values are strings.
  [[nodiscard]] std::vector<model::LabelSet::Entry> StringMap(std::string_view name);

  // Members that nobody asked for are faults: here an unknown member may be a condition, or one
  // that slipped out of its place.
  void RefuseUnknown();
  // Members that nobody asked for are ignored unless they are a known name in another case, which
  // some readers take for that name and others do not.
  void RefuseMisspelt();

  // Members that are null are faults: of a condition, "present but empty" is no clear word.
  void RefuseNulls();

  [[nodiscard]] std::string Path(std::string_view name) const;
  void Fault(std::string_view name, std::string reason);
  [[nodiscard]] Faults& faults() { return faults_; }

 private:
  [[nodiscard]] std::optional<std::string_view> AskedInAnotherCase(std::string_view key) const;
  void RefuseStrangers(bool unknown_too);

  const DocumentNode& node_;
  std::string path_;
  Faults& faults_;
  std::vector<std::string_view> asked_;
};

// A string, or a fault.
[[nodiscard]] std::optional<std::string> ReadString(const Field& field, Faults& faults);

}  // namespace felix::datastore
