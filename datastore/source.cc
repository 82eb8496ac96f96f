// SPDX-License-Identifier: Apache-2.0
#include "datastore/source.h"

#include "fmt/format.h"
#include "fmt/ranges.h"

namespace felix::datastore {

std::string Refusal::ToString() const {
  std::vector<std::string_view> parts;
  for (const std::string* part : {&origin, &object, &field, &reason}) {
    if (!part->empty()) parts.push_back(*part);
  }
  return fmt::format("{}", fmt::join(parts, ": "));
}

}  // namespace felix::datastore
