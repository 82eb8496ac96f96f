// SPDX-License-Identifier: Apache-2.0
#include "model/port.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "fmt/format.h"

#include "model/base/strings.h"

namespace felix::model {
namespace {

constexpr std::size_t kLongestPortName = 15;

constexpr std::array<std::pair<std::string_view, Protocol>, 6> kProtocolNames = {{
    {"tcp", kTcp},
    {"udp", kUdp},
    {"icmp", kIcmp},
    {"icmpv6", kIcmpV6},
    {"sctp", kSctp},
    {"udplite", kUdpLite},
}};

template <typename Number>
std::optional<Number> ParsePositive(std::string_view text) {
  Number value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || value == 0) return std::nullopt;
  return value;
}

absl::Status Refuse(std::string_view what, std::string_view text, std::string_view reason) {
  return absl::InvalidArgumentError(fmt::format(
      "parse {} \"{}\": {}", what, absl::CHexEscape(ToAbsl(text.substr(0, 64))), reason));
}

}  // namespace

absl::StatusOr<Protocol> Protocol::Parse(std::string_view text) {
  for (const auto& [name, protocol] : kProtocolNames) {
    if (absl::EqualsIgnoreCase(ToAbsl(name), ToAbsl(text))) return protocol;
  }
  if (const auto value = ParsePositive<std::uint8_t>(text)) return Protocol{*value};
  return Refuse("protocol", text, "neither a known name nor a number from 1 to 255");
}

bool Protocol::HasPorts() const {
  return *this == kTcp || *this == kUdp || *this == kSctp;
}

std::string Protocol::ToString() const {
  for (const auto& [name, protocol] : kProtocolNames) {
    if (protocol == *this) return std::string(name);
  }
  return std::to_string(number);
}

absl::StatusOr<PortRange> PortRange::Parse(std::string_view text) {
  const std::size_t colon = text.find(':');
  const auto first = ParsePositive<std::uint16_t>(text.substr(0, colon));
  const auto last = colon == std::string_view::npos
                        ? first
                        : ParsePositive<std::uint16_t>(text.substr(colon + 1));
  if (!first.has_value() || !last.has_value()) {
    return Refuse("port", text, "neither a port nor a range of ports from 1 to 65535");
  }
  if (*first > *last) return Refuse("port", text, "the range is reversed");
  return PortRange{.first = *first, .last = *last};
}

std::string PortRange::ToString() const {
  return first == last ? std::to_string(first) : fmt::format("{}:{}", first, last);
}

bool IsValidPortName(std::string_view name) {
  if (name.empty() || name.size() > kLongestPortName) return false;
  if (name.front() == '-' || name.back() == '-') return false;
  if (name.find("--") != std::string_view::npos) return false;
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto is_allowed = [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '-';
  };
  return std::all_of(name.begin(), name.end(), is_allowed) &&
         std::any_of(name.begin(), name.end(), is_letter);
}

}  // namespace felix::model
