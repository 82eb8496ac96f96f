// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "datastore/resource_document.h"
#include "datastore/v3_decoder.h"

namespace felix::datastore {

// The objects of a text of resources or of keys of the older store, or why it cannot be read.
struct ResourceText {
  std::vector<Decoded> objects;
  std::optional<TextFault> fault;
};
// Whether it is JSON or YAML, the end of the path says, or else the text.
[[nodiscard]] ResourceText ReadResourceText(const std::string& path, std::string_view text);

}  // namespace felix::datastore
