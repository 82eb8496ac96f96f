// SPDX-License-Identifier: Apache-2.0
#include "model/base/check.h"

#include <cstdio>
#include <cstdlib>
#include <string>

namespace felix::base {

void CheckFailed(const char* file, int line, const char* condition, std::string_view reason) {
  const std::string text(reason);
  std::fprintf(stderr, "%s:%d: check failed: %s: %s\n", file, line, condition, text.c_str());
  std::abort();
}

}  // namespace felix::base
