// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "model/packed.h"

namespace felix::model {

// A key with its value in one allocation: sixteen bytes, the handles, the key's bytes, the value's.
class PackedRecord {
 public:
  struct Delete {
    void operator()(PackedRecord* record) const;
  };
  using Pointer = std::unique_ptr<PackedRecord, Delete>;

  static Pointer Make(std::string_view key, const Packer& value);
  PackedRecord(const PackedRecord&) = delete;
  PackedRecord& operator=(const PackedRecord&) = delete;

  [[nodiscard]] std::string_view key() const { return {text(), key_size_}; }
  [[nodiscard]] bool Holds(const Packer& value) const;
  [[nodiscard]] Unpacker value() const {
    return {{text() + key_size_, value_size_}, label_sets(), selectors()};
  }

 private:
  PackedRecord(std::string_view key, const Packer& value);
  ~PackedRecord();
  [[nodiscard]] const LabelSet* label_sets() const {
    return reinterpret_cast<const LabelSet*>(this + 1);
  }
  [[nodiscard]] const Selector* selectors() const {
    return reinterpret_cast<const Selector*>(label_sets() + label_set_count_);
  }
  [[nodiscard]] const char* text() const {
    return reinterpret_cast<const char*>(selectors() + selector_count_);
  }

  std::uint32_t key_size_;
  std::uint32_t value_size_;
  std::uint32_t label_set_count_;
  std::uint32_t selector_count_;
};

}  // namespace felix::model
