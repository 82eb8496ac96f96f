// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "model/base/check.h"
#include "model/labels.h"
#include "model/selector.h"

// The canonical text of what parses must parse again, to the same selector.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto selector = felix::model::Selector::Parse(text);
  if (!selector.ok()) return 0;
  const auto again = felix::model::Selector::Parse(selector->text());
  FELIX_CHECK(again.ok(), selector->text());
  FELIX_CHECK(again->text() == selector->text() && again->id() == selector->id(), again->text());
  const felix::model::LabelSet labels{{"app", "web"}, {"role", "db"}};
  FELIX_CHECK(again->Matches(labels) == selector->Matches(labels), again->text());
  FELIX_CHECK(again->Matches({}) == selector->Matches({}), again->text());
  return 0;
}
