// SPDX-License-Identifier: Apache-2.0
#include "datastore/source_factory.h"

#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "fmt/format.h"

#include "datastore/etcd/etcd_address.h"
#include "datastore/etcd/etcd_source.h"
#include "datastore/etcd/etcd_status_writer.h"
#include "datastore/etcd/etcd_v2_source.h"
#include "datastore/file_source.h"
#include "datastore/snapshot/snapshot_source.h"
#include "model/base/status_macros.h"

namespace felix::datastore {

namespace {

constexpr std::string_view kFileScheme = "file:";
constexpr std::string_view kEtcdScheme = "etcd:";
constexpr std::string_view kEtcdV2Scheme = "etcd-v2:";

absl::StatusOr<EtcdConfig> EtcdConfigOf(SourceConfig config, std::string_view scheme) {
  EtcdConfig etcd;
  FELIX_ASSIGN_OR_RETURN(
      etcd.endpoints, ParseEtcdEndpoints(std::string_view(config.address).substr(scheme.size())));
  if (config.tls.cert_file.empty() != config.tls.key_file.empty()) {
    return absl::InvalidArgumentError(
        "use etcd: a client certificate and its key go together (EtcdCertFile, EtcdKeyFile)");
  }
  etcd.tls = std::move(config.tls);
  etcd.user = std::move(config.user);
  etcd.password = std::move(config.password);
  return etcd;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Source>> MakeSource(SourceConfig config) {
  const std::string_view address = config.address;
  if (address.starts_with(kEtcdScheme)) {
    FELIX_ASSIGN_OR_RETURN(EtcdConfig etcd, EtcdConfigOf(std::move(config), kEtcdScheme));
    return std::make_unique<EtcdSource>(std::move(etcd), config.tap);
  }
  if (address.starts_with(kEtcdV2Scheme)) {
    FELIX_ASSIGN_OR_RETURN(EtcdConfig etcd, EtcdConfigOf(std::move(config), kEtcdV2Scheme));
    return std::make_unique<EtcdV2Source>(std::move(etcd), config.tap);
  }
  if (!address.starts_with(kFileScheme)) {
    return absl::InvalidArgumentError(
        fmt::format("parse source address '{}': expected file:DIR, etcd:URL[,URL] or "
                    "etcd-v2:URL[,URL]",
                    address));
  }
  const std::string_view directory = address.substr(kFileScheme.size());
  if (directory.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("parse source address '{}': no directory is named", address));
  }
  // A file in place of a directory is a snapshot of another datastore.
  std::error_code error;
  if (std::filesystem::is_regular_file(std::string(directory), error)) {
    return std::make_unique<SnapshotSource>(std::string(directory));
  }
  return std::make_unique<FileSource>(std::string(directory), config.tap);
}

absl::StatusOr<std::unique_ptr<StatusWriter>> MakeStatusWriter(SourceConfig config) {
  if (!config.address.starts_with(kEtcdScheme)) return std::unique_ptr<StatusWriter>();
  FELIX_ASSIGN_OR_RETURN(EtcdConfig etcd, EtcdConfigOf(std::move(config), kEtcdScheme));
  return std::make_unique<EtcdStatusWriter>(std::move(etcd));
}

}  // namespace felix::datastore
