// SPDX-License-Identifier: Apache-2.0
#include "datastore/etcd/tls_files.h"

#include "fmt/format.h"
#include <boost/asio/ssl/error.hpp>

#include "model/base/status_macros.h"

namespace felix::datastore {
namespace {

using boost::asio::ssl::context;
using boost::system::error_code;

constexpr std::string_view kNoTls =
    "; the server speaks no TLS at this port: give http:// instead of https://";

template <typename Use>
absl::Status Load(const std::string& file, Use use) {
  error_code error;
  use(error);
  if (!error) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("read {}: {}", file, error.message()));
}

}  // namespace

absl::Status LoadTlsFiles(const TlsFiles& files, context& context) {
  context.set_options(context::no_tlsv1 | context::no_tlsv1_1);
  if (files.ca_file.empty()) {
    FELIX_RETURN_IF_ERROR(Load("the system's authorities", [&](error_code& error) {
      context.set_default_verify_paths(error);
    }));
  } else {
    FELIX_RETURN_IF_ERROR(Load(
        files.ca_file, [&](error_code& error) { context.load_verify_file(files.ca_file, error); }));
  }
  if (files.cert_file.empty() != files.key_file.empty()) {
    return absl::InvalidArgumentError("a certificate and its key go together");
  }
  if (files.cert_file.empty()) return absl::OkStatus();
  FELIX_RETURN_IF_ERROR(Load(files.cert_file, [&](error_code& error) {
    context.use_certificate_chain_file(files.cert_file, error);
  }));
  return Load(files.key_file, [&](error_code& error) {
    context.use_private_key_file(files.key_file, context::pem, error);
  });
}

std::string_view TlsCure(const error_code& error, bool is_established, bool shows_certificate) {
  if (error == boost::asio::ssl::error::stream_truncated && !is_established) return kNoTls;
  if (error.category() != boost::asio::error::get_ssl_category()) return "";
  switch (ERR_GET_REASON(static_cast<unsigned long>(error.value()))) {
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      return "; the server's certificate must come from an authority in EtcdCaFile and name the "
             "host as the endpoint does";
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
      return kNoTls;
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
      return shows_certificate
                 ? "; the server does not accept the client certificate in EtcdCertFile: it must "
                   "come from an authority that the server trusts, allow clientAuth and be valid"
                 : "; the server wants a client certificate: give EtcdCertFile and EtcdKeyFile";
    default:
      return "";
  }
}

}  // namespace felix::datastore
