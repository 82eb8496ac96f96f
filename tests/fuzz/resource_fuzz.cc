// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "datastore/resource_document.h"
#include "datastore/v3_decoder.h"
#include "model/base/check.h"

namespace {

using felix::datastore::Decoded;
using felix::datastore::DocumentNode;
using felix::datastore::ParsedText;

// Whatever is read is in force or refused for a reason, and never neither without one.
void Decode(const ParsedText& parsed) {
  if (parsed.fault.has_value()) {
    FELIX_CHECK(!parsed.fault->reason.empty(), "a text is refused for no reason");
    return;
  }
  for (const DocumentNode* object : felix::datastore::SplitResources(parsed.documents)) {
    const Decoded decoded = felix::datastore::DecodeResource(*object, "input");
    FELIX_CHECK(!decoded.refusal.has_value() || !decoded.refusal->reason.empty(),
                "an object is refused for no reason");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Decode(felix::datastore::ParseYaml(text));
  Decode(felix::datastore::ParseJson(text));
  return 0;
}
