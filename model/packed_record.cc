// SPDX-License-Identifier: Apache-2.0
#include "model/packed_record.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

namespace felix::model {

static_assert(sizeof(LabelSet) == 8 && sizeof(Selector) == 8 && alignof(LabelSet) == 8 &&
              alignof(Selector) == 8 && sizeof(PackedRecord) == 16);

PackedRecord::PackedRecord(std::string_view key, const Packer& value)
    : key_size_(static_cast<std::uint32_t>(key.size())),
      value_size_(static_cast<std::uint32_t>(value.bytes().size())),
      label_set_count_(static_cast<std::uint32_t>(value.label_sets().size())),
      selector_count_(static_cast<std::uint32_t>(value.selectors().size())) {
  std::uninitialized_copy(value.label_sets().begin(), value.label_sets().end(),
                          const_cast<LabelSet*>(label_sets()));
  std::uninitialized_copy(value.selectors().begin(), value.selectors().end(),
                          const_cast<Selector*>(selectors()));
  char* const text_of_both = const_cast<char*>(text());
  std::memcpy(text_of_both, key.data(), key.size());
  std::memcpy(text_of_both + key.size(), value.bytes().data(), value.bytes().size());
}

PackedRecord::~PackedRecord() {
  std::destroy_n(const_cast<LabelSet*>(label_sets()), label_set_count_);
  std::destroy_n(const_cast<Selector*>(selectors()), selector_count_);
}

PackedRecord::Pointer PackedRecord::Make(std::string_view key, const Packer& value) {
  const std::size_t size = sizeof(PackedRecord) + value.label_sets().size_bytes() +
                           value.selectors().size_bytes() + key.size() + value.bytes().size();
  return Pointer(new (::operator new(size)) PackedRecord(key, value));
}

void PackedRecord::Delete::operator()(PackedRecord* record) const {
  record->~PackedRecord();
  ::operator delete(record);
}

bool PackedRecord::Holds(const Packer& value) const {
  const auto same_range = [](auto range, const auto* own, std::size_t count) {
    return range.size() == count && std::equal(range.begin(), range.end(), own);
  };
  return value.bytes() == std::string_view(text() + key_size_, value_size_) &&
         same_range(value.label_sets(), label_sets(), label_set_count_) &&
         same_range(value.selectors(), selectors(), selector_count_);
}

}  // namespace felix::model
