// SPDX-License-Identifier: Apache-2.0
#include "datastore/etcd/etcd_address.h"

#include <charconv>

#include "absl/strings/ascii.h"
#include "fmt/format.h"

#include "model/base/strings.h"

namespace felix::datastore {
namespace {

absl::Status Fault(std::string_view text, std::string_view reason) {
  return absl::InvalidArgumentError(fmt::format("parse etcd endpoint '{}': {}", text, reason));
}

absl::StatusOr<std::uint16_t> ParsePort(std::string_view whole, std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) {
    return Fault(whole, fmt::format("'{}' is not a port", text));
  }
  return port;
}

absl::StatusOr<EtcdEndpoint> ParseEndpoint(std::string_view whole) {
  EtcdEndpoint endpoint;
  std::string_view rest = whole;
  constexpr std::string_view kSeparator = "://";
  if (const std::size_t at = rest.find(kSeparator); at != std::string_view::npos) {
    const std::string_view scheme = rest.substr(0, at);
    if (scheme != "http" && scheme != "https") return Fault(whole, "neither http nor https");
    endpoint.tls = scheme == "https";
    rest.remove_prefix(at + kSeparator.size());
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  std::size_t host_end = rest.find(':');
  if (rest.starts_with('[')) {
    const std::size_t bracket = rest.find(']');
    if (bracket == std::string_view::npos) return Fault(whole, "'[' without ']'");
    endpoint.host = rest.substr(1, bracket - 1);
    host_end = bracket + 1 == rest.size() ? std::string_view::npos : bracket + 1;
    if (host_end != std::string_view::npos && rest[host_end] != ':') {
      return Fault(whole, "text between ']' and the port");
    }
  } else {
    endpoint.host = rest.substr(0, host_end);
  }
  if (endpoint.host.empty()) return Fault(whole, "no host");
  if (endpoint.host.find_first_of("/?#@ ") != std::string::npos) {
    return Fault(whole, fmt::format("'{}' is not a host", endpoint.host));
  }
  if (host_end != std::string_view::npos) {
    const auto port = ParsePort(whole, rest.substr(host_end + 1));
    if (!port.ok()) return port.status();
    endpoint.port = *port;
  }
  return endpoint;
}

}  // namespace

std::string EtcdEndpoint::ToString() const {
  const bool bracketed = host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", tls ? "https" : "http", bracketed ? "[" : "", host,
                     bracketed ? "]" : "", port);
}

absl::StatusOr<std::vector<EtcdEndpoint>> ParseEtcdEndpoints(std::string_view text) {
  std::vector<EtcdEndpoint> endpoints;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view element =
        ToStd(absl::StripAsciiWhitespace(ToAbsl(text.substr(0, comma))));
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    if (element.empty()) continue;
    absl::StatusOr<EtcdEndpoint> endpoint = ParseEndpoint(element);
    if (!endpoint.ok()) return endpoint.status();
    if (!endpoints.empty() && endpoints.front().tls != endpoint->tls) {
      return Fault(element, fmt::format("another scheme than {}", endpoints.front().ToString()));
    }
    endpoints.push_back(*std::move(endpoint));
  }
  if (endpoints.empty()) return Fault("", "no endpoint is named");
  return endpoints;
}

}  // namespace felix::datastore
