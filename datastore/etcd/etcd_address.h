// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace felix::datastore {

// Where one member of an etcd cluster serves its clients.
struct EtcdEndpoint {
  bool tls = false;
  std::string host;  // a name or an address; IPv6 without brackets
  std::uint16_t port = 2379;

  [[nodiscard]] std::string ToString() const;  // https://[fd00::1]:2379
  bool operator==(const EtcdEndpoint&) const = default;
};

// Parses "https://a:2379,https://b:2379". The port may be left out; the scheme may be left out and
// is then http. Errors: kInvalidArgument for anything else, for an empty list and for a mixture of
// schemes.
[[nodiscard]] absl::StatusOr<std::vector<EtcdEndpoint>> ParseEtcdEndpoints(std::string_view text);

}  // namespace felix::datastore
