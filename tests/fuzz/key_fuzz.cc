// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "datastore/v1_key.h"
#include "datastore/v1_object.h"
#include "model/base/check.h"

// The first line is a key of the older store, the rest its value. Whatever is read is in force or
// refused for a reason.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using felix::datastore::V1Key;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t line = text.find('\n');
  const std::string_view key = text.substr(0, line);
  const std::string_view value =
      line == std::string_view::npos ? std::string_view() : text.substr(line + 1);
  const V1Key parsed = felix::datastore::ParseV1Key(key);
  const auto problem = felix::datastore::CheckV1Names(parsed);
  FELIX_CHECK(!problem.has_value() || !problem->empty(), "a name is refused for no reason");
  const felix::datastore::Decoded decoded = felix::datastore::DecodeV1(key, value);
  FELIX_CHECK(!decoded.refusal.has_value() || !decoded.refusal->reason.empty(),
              "a value is refused for no reason");
  return 0;
}
