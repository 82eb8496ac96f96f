// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace felix::replay {

// The manual page (section 1, in man(7)) and the completion for bash, both made of the option table
// so that neither can fall behind it.
[[nodiscard]] std::string ManualPage(const CLI::App& table, const std::string& version);
[[nodiscard]] std::string BashCompletion(const CLI::App& table);

}  // namespace felix::replay
