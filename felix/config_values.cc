// SPDX-License-Identifier: Apache-2.0
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "fmt/format.h"

#include "compiler/ir/match.h"
#include "felix/config_parameters.h"
#include "felix/failsafe_ports.h"
#include "felix/interface_patterns.h"
#include "model/address.h"
#include "model/base/check.h"
#include "model/base/status_macros.h"
#include "model/base/strings.h"
#include "model/port.h"

namespace felix {
namespace {

constexpr int kFewestMarkBits = 4;
constexpr std::size_t kLongestInterfaceName = 15;

bool Same(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(ToAbsl(a), ToAbsl(b));
}

bool IsOneOfCharacters(std::string_view text, std::string_view others) {
  for (const char c : text) {
    const bool alphanumeric =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!alphanumeric && others.find(c) == std::string_view::npos) return false;
  }
  return !text.empty();
}

absl::Status Bad(std::string_view expected) {
  return absl::InvalidArgumentError(fmt::format("not {}", expected));
}

absl::StatusOr<std::string> ParseBool(std::string_view text) {
  for (const std::string_view word : {"true", "1", "yes", "y", "t"}) {
    if (Same(word, text)) return std::string("true");
  }
  for (const std::string_view word : {"false", "0", "no", "n", "f"}) {
    if (Same(word, text)) return std::string("false");
  }
  return Bad("true or false");
}

// As C and Go read it: 0x is hexadecimal, a leading 0 octal.
std::optional<std::int64_t> ParseInteger(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text.starts_with('0')) {
    base = 8;
    text.remove_prefix(text[1] == 'o' || text[1] == 'O' ? 2 : 1);
  }
  if (text.empty() || text.front() == '-' || text.front() == '+') return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return negative ? -value : value;
}

absl::StatusOr<std::string> ParseInt(std::string_view text, std::string_view range) {
  const std::size_t dots = range.find("..");
  FELIX_CHECK(dots != std::string_view::npos, "an integer parameter needs a range");
  const std::optional<std::int64_t> first = ParseInteger(range.substr(0, dots));
  const std::optional<std::int64_t> last = ParseInteger(range.substr(dots + 2));
  FELIX_CHECK(first && last, "the range of an integer parameter is not one");
  const std::optional<std::int64_t> value = ParseInteger(text);
  if (!value || *value < *first || *value > *last) {
    return Bad(fmt::format("a whole number from {} to {}", *first, *last));
  }
  return fmt::format("{}", *value);
}

absl::StatusOr<std::string> ParseNumber(std::string_view text, std::string_view unit) {
  constexpr double kMost = 1e9;
  double value = 0;
  if (!absl::SimpleAtod(ToAbsl(text), &value) || !std::isfinite(value) || value < 0 ||
      value > kMost) {
    return Bad(fmt::format("a number of {} from 0 to {:.0f}", unit, kMost));
  }
  return fmt::format("{}", value == 0 ? 0.0 : value);
}

absl::StatusOr<std::string> ParseOneOf(std::string_view text, std::string_view choices) {
  for (const absl::string_view choice : absl::StrSplit(ToAbsl(choices), ',')) {
    if (Same(ToStd(choice), text)) return std::string(choice);
  }
  return Bad(fmt::format("one of {}", choices));
}

absl::StatusOr<std::string> ParseMarkMask(std::string_view text) {
  const std::optional<std::int64_t> value = ParseInteger(text);
  if (!value || *value < 0 || *value > std::numeric_limits<std::uint32_t>::max() ||
      std::popcount(static_cast<std::uint32_t>(*value)) < kFewestMarkBits) {
    return Bad(fmt::format("an unsigned 32 bit number with at least {} bits set", kFewestMarkBits));
  }
  return fmt::format("{:#010x}", *value);
}

absl::StatusOr<std::string> ParseInterfaceList(std::string_view text) {
  for (const absl::string_view element : absl::StrSplit(ToAbsl(text), ',')) {
    if (element.size() > kLongestInterfaceName || !IsOneOfCharacters(ToStd(element), "_-")) {
      return Bad(
          "interface names of 1 to 15 letters, digits, dashes or underscores, "
          "separated by commas");
    }
  }
  return std::string(text);
}

absl::StatusOr<std::string> ParseInterfacePatterns(std::string_view text) {
  if (!InterfacePatterns::Parse(text).ok()) {
    return Bad("names of interfaces, or regular expressions between slashes, separated by commas");
  }
  return std::string(text);
}

absl::StatusOr<std::string> ParseHostname(std::string_view text) {
  if (!IsOneOfCharacters(text, "_.-")) {
    return Bad("a host name of letters, digits, dots, dashes and underscores");
  }
  return std::string(text);
}

absl::StatusOr<std::string> ParseInterface(std::string_view text) {
  const std::string_view name = text.substr(0, text.size() - (text.ends_with('+') ? 1 : 0));
  if (text.size() > kLongestInterfaceName || !IsOneOfCharacters(name, "_.:-")) {
    return Bad("the name of an interface, or the beginning of one and a +");
  }
  return std::string(text);
}

absl::StatusOr<std::string> ParseRate(std::string_view text) {
  const std::optional<ir::LimitMatch> limit = ir::ParseLimit(text);
  if (!limit) return Bad("a number of packets per second, minute, hour or day, as in 10/minute");
  return ir::LimitText(*limit);
}

absl::StatusOr<std::string> ParsePortRange(std::string_view text) {
  const absl::StatusOr<model::PortRange> range = model::PortRange::Parse(text);
  if (!range.ok()) return Bad("a port or a range of ports, as in 32768:65535");
  return range->ToString();
}

absl::StatusOr<std::string> ParseIpv4Address(std::string_view text) {
  const absl::StatusOr<model::IpAddress> address = model::IpAddress::Parse(text);
  if (!address.ok() || address->family() != model::IpFamily::kV4) return Bad("an IPv4 address");
  return address->ToString();
}

absl::StatusOr<std::string> ParsePorts(std::string_view text) {
  FELIX_ASSIGN_OR_RETURN(const std::vector<model::FailsafePort> ports, ParseFailsafePorts(text));
  return FailsafePortsText(ports);
}

absl::StatusOr<std::string> ParseText(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) return Bad("text without control characters");
  }
  return std::string(text);
}

absl::StatusOr<std::string> ZeroOf(const Parameter& parameter) {
  switch (parameter.type) {
    case ParameterType::kBool:
      return std::string("false");
    case ParameterType::kInt:
      return ParseInt("0", parameter.detail);
    case ParameterType::kSeconds:
    case ParameterType::kMillis:
      return std::string("0");
    case ParameterType::kInterface:
    case ParameterType::kNamePatterns:
    case ParameterType::kRate:
    case ParameterType::kPortRange:
    case ParameterType::kIpv4Address:
    case ParameterType::kFailsafePorts:
    case ParameterType::kText:
      return std::string();
    case ParameterType::kOneOf:
      // A severity of none switches a log off; no other choice has a zero.
      if (parameter.name.starts_with("LogSeverity")) return std::string();
      return Bad(fmt::format("one of {}", parameter.detail));
    case ParameterType::kMarkMask:
    case ParameterType::kInterfaceList:
    case ParameterType::kHostname:
      return absl::InvalidArgumentError("not possible here");
  }
  return absl::InvalidArgumentError("not possible here");
}

}  // namespace

absl::StatusOr<std::string> ParseParameterValue(const Parameter& parameter, std::string_view text) {
  if (Same(text, "none")) return ZeroOf(parameter);
  switch (parameter.type) {
    case ParameterType::kBool:
      return ParseBool(text);
    case ParameterType::kInt:
      return ParseInt(text, parameter.detail);
    case ParameterType::kSeconds:
      return ParseNumber(text, "seconds");
    case ParameterType::kMillis:
      return ParseNumber(text, "milliseconds");
    case ParameterType::kOneOf:
      return ParseOneOf(text, parameter.detail);
    case ParameterType::kMarkMask:
      return ParseMarkMask(text);
    case ParameterType::kInterfaceList:
      return ParseInterfaceList(text);
    case ParameterType::kNamePatterns:
      return ParseInterfacePatterns(text);
    case ParameterType::kHostname:
      return ParseHostname(text);
    case ParameterType::kInterface:
      return ParseInterface(text);
    case ParameterType::kRate:
      return ParseRate(text);
    case ParameterType::kPortRange:
      return ParsePortRange(text);
    case ParameterType::kIpv4Address:
      return ParseIpv4Address(text);
    case ParameterType::kFailsafePorts:
      return ParsePorts(text);
    case ParameterType::kText:
      return ParseText(text);
  }
  return std::string(text);
}

}  // namespace felix
