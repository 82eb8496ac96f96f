// SPDX-License-Identifier: Apache-2.0
#include "model/packed_records.h"

#include <algorithm>

namespace felix::model {

std::optional<PackedRecords::Number> PackedRecords::Find(std::string_view key) const {
  const auto found = numbers_.find(key);
  if (found == numbers_.end()) return std::nullopt;
  return *found;
}

PackedRecords::Number PackedRecords::Insert(std::string_view key, const Packer& value) {
  Number number = 0;
  if (free_.empty()) {
    number = static_cast<Number>(records_.size());
    records_.push_back(PackedRecord::Make(key, value));
  } else {
    number = free_.back();
    free_.pop_back();
    records_[number] = PackedRecord::Make(key, value);
  }
  numbers_.insert(number);
  return number;
}

bool PackedRecords::Replace(Number number, const Packer& value) {
  PackedRecord::Pointer& record = records_[number];
  if (record->Holds(value)) return false;
  record = PackedRecord::Make(record->key(), value);
  return true;
}

void PackedRecords::Erase(Number number) {
  numbers_.erase(number);
  records_[number].reset();
  free_.push_back(number);
}

void PackedRecords::Reserve(std::size_t count) {
  records_.reserve(count);
  numbers_.reserve(count);
}

std::vector<PackedRecords::Number> PackedRecords::InOrder() const {
  std::vector<Number> numbers(numbers_.begin(), numbers_.end());
  std::sort(numbers.begin(), numbers.end(),
            [this](Number a, Number b) { return At(a).key() < At(b).key(); });
  return numbers;
}

}  // namespace felix::model
