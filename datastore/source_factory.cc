// SPDX-License-Identifier: Apache-2.0
#include "datastore/source_factory.h"

#include <string_view>
#include <utility>

#include "fmt/format.h"

#include "datastore/etcd/etcd_address.h"
#include "datastore/etcd/etcd_source.h"
#include "datastore/file_source.h"
#include "model/base/status_macros.h"

namespace felix::datastore {

absl::StatusOr<std::unique_ptr<Source>> MakeSource(SourceConfig config) {
  constexpr std::string_view kFileScheme = "file:";
  constexpr std::string_view kEtcdScheme = "etcd:";
  const std::string_view address = config.address;
  if (address.starts_with(kEtcdScheme)) {
    EtcdConfig etcd;
    FELIX_ASSIGN_OR_RETURN(etcd.endpoints, ParseEtcdEndpoints(address.substr(kEtcdScheme.size())));
    if (config.tls.cert_file.empty() != config.tls.key_file.empty()) {
      return absl::InvalidArgumentError(
          "use etcd: a client certificate and its key go together (EtcdCertFile, EtcdKeyFile)");
    }
    etcd.tls = std::move(config.tls);
    etcd.user = std::move(config.user);
    etcd.password = std::move(config.password);
    return std::make_unique<EtcdSource>(std::move(etcd));
  }
  if (!address.starts_with(kFileScheme)) {
    return absl::InvalidArgumentError(
        fmt::format("parse source address '{}': expected file:DIR or etcd:URL[,URL]", address));
  }
  const std::string_view directory = address.substr(kFileScheme.size());
  if (directory.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("parse source address '{}': no directory is named", address));
  }
  return std::make_unique<FileSource>(std::string(directory));
}

}  // namespace felix::datastore
