// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace felix::datastore {

// Hears what a source reads, word by word, before anything is made of it: for recordings. All calls
// come from the source's thread.
class SourceTap {
 public:
  virtual ~SourceTap() = default;
  virtual void OnValue(std::string_view key, std::string_view value) = 0;
  virtual void OnRemoval(std::string_view key) = 0;
  virtual void OnFile(std::string_view path, std::string_view text) = 0;
  virtual void OnFileGone(std::string_view path) = 0;
  // What was told since the last call belongs together. Revision 0: there is none.
  virtual void OnStepEnd(std::int64_t revision) = 0;
};

}  // namespace felix::datastore
