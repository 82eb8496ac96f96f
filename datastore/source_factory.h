// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "datastore/etcd/http_connection.h"
#include "datastore/source.h"
#include "datastore/source_tap.h"
#include "datastore/status_writer.h"

namespace felix::datastore {

// Which source, and how to get at it.
struct SourceConfig {
  std::string address;  // "file:DIR", "file:SNAPSHOT", "etcd:URL[,URL]" or "etcd-v2:URL[,URL]"
  // Of etcd alone.
  TlsFiles tls = {};
  std::string user = {};  // empty: no authentication
  std::string password = {};
  SourceTap* tap = nullptr;  // hears what is read; may be null, and must outlive the source
};

// Errors, of both: kInvalidArgument for an address of none of these forms.
[[nodiscard]] absl::StatusOr<std::unique_ptr<Source>> MakeSource(SourceConfig config);
// To the same place; null where nothing can be written.
[[nodiscard]] absl::StatusOr<std::unique_ptr<StatusWriter>> MakeStatusWriter(SourceConfig config);

}  // namespace felix::datastore
