// SPDX-License-Identifier: Apache-2.0
#include "felix/failsafe_ports.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "fmt/format.h"

#include "model/base/strings.h"

namespace felix {
namespace {

std::optional<std::uint16_t> ParsePort(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return port;
}

// An IPv6 network stands in brackets, since it has colons of its own.
std::optional<model::Cidr> ParseNet(std::string_view text) {
  const bool bracketed = text.starts_with('[') && text.ends_with(']');
  if (bracketed) text = text.substr(1, text.size() - 2);
  const absl::StatusOr<model::Cidr> net = model::Cidr::Parse(text);
  if (!net.ok() || (net->family() == model::IpFamily::kV6) != bracketed) return std::nullopt;
  return *net;
}

std::optional<model::FailsafePort> ParseElement(std::string_view text) {
  model::FailsafePort parsed{.protocol = model::kTcp, .port = 0, .net = {}};
  if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
    const absl::string_view protocol = ToAbsl(text.substr(0, colon));
    if (absl::EqualsIgnoreCase(protocol, "udp")) {
      parsed.protocol = model::kUdp;
    } else if (!absl::EqualsIgnoreCase(protocol, "tcp")) {
      return std::nullopt;
    }
    text.remove_prefix(colon + 1);
    if (const std::size_t last = text.rfind(':'); last != std::string_view::npos) {
      parsed.net = ParseNet(text.substr(0, last));
      if (!parsed.net) return std::nullopt;
      text.remove_prefix(last + 1);
    }
  }
  const std::optional<std::uint16_t> port = ParsePort(text);
  if (!port) return std::nullopt;
  parsed.port = *port;
  return parsed;
}

}  // namespace

absl::StatusOr<std::vector<model::FailsafePort>> ParseFailsafePorts(std::string_view text) {
  std::vector<model::FailsafePort> ports;
  for (const absl::string_view part : absl::StrSplit(ToAbsl(text), ',')) {
    const std::string_view element = ToStd(absl::StripAsciiWhitespace(part));
    if (element.empty()) continue;
    const std::optional<model::FailsafePort> port = ParseElement(element);
    if (!port) {
      return absl::InvalidArgumentError(fmt::format(
          "'{}' is not a failsafe port, as in tcp:22, udp:10.0.0.0/8:68 or tcp:[fd00::/8]:22",
          element));
    }
    ports.push_back(*port);
  }
  std::sort(ports.begin(), ports.end());
  ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
  return ports;
}

std::string FailsafePortsText(const std::vector<model::FailsafePort>& ports) {
  std::string text;
  for (const model::FailsafePort& port : ports) {
    if (!text.empty()) text += ',';
    text += port.protocol == model::kUdp ? "udp:" : "tcp:";
    if (port.net.has_value()) {
      const bool brackets = port.net->family() == model::IpFamily::kV6;
      text +=
          fmt::format("{}{}{}:", brackets ? "[" : "", port.net->ToString(), brackets ? "]" : "");
    }
    text += fmt::format("{}", port.port);
  }
  return text;
}

}  // namespace felix
