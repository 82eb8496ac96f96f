// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "datastore/etcd/http_connection.h"
#include "datastore/source.h"

namespace felix::datastore {

// Which source, and how to get at it.
struct SourceConfig {
  std::string address;  // "file:DIR" or "etcd:URL[,URL]"
  // Of etcd alone.
  TlsFiles tls = {};
  std::string user = {};  // empty: no authentication
  std::string password = {};
};

// Errors: kInvalidArgument for an address of neither form.
[[nodiscard]] absl::StatusOr<std::unique_ptr<Source>> MakeSource(SourceConfig config);

}  // namespace felix::datastore
