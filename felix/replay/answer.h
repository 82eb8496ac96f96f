// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace felix::replay {

// Exit statuses, for scripts.
inline constexpr int kDone = 0;
inline constexpr int kDiffers = 1;   // there is a difference, or it is denied
inline constexpr int kUnusable = 2;  // wrong usage, or an input that cannot be read

enum class Output : std::uint8_t { kText, kJson, kSvg, kHtml };  // pictures: of a matrix alone

// What a verb has to say on standard output, and how the program ends.
struct Answer {
  std::string text;
  int status = kDone;
};

}  // namespace felix::replay
