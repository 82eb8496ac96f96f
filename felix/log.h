// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace felix {

// Where the log goes: lines of the form `2026-01-31 12:00:00.123 [INFO][4711] message key=value`.
// Severities are those of the configuration (TRACE, DEBUG, INFO, WARNING, ERROR, FATAL); an empty
// one switches that log off.
struct LogSettings {
  std::string screen_severity = "INFO";  // standard error
  std::string file_severity;
  std::string file_path;  // empty: no file
  bool operator==(const LogSettings&) const = default;
};

// Makes spdlog's default logger write there. May be called again; files are opened anew, which is
// how a rotated file is let go. Control characters in messages are written as \xNN, so that one
// message is one line whatever it quotes.
// Errors: the file cannot be opened; the screen log is in place nevertheless.
absl::Status ConfigureLog(const LogSettings& settings);

// The text with its control characters as \xNN.
[[nodiscard]] std::string EscapeControlCharacters(std::string_view text);

}  // namespace felix
