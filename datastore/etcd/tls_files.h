// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include <boost/asio/ssl/context.hpp>
#include <boost/system/error_code.hpp>

namespace felix::datastore {

// How to trust a server, and how to be trusted by it. Files are read anew for each connection, so
// that renewed certificates need no restart.
struct TlsFiles {
  std::string ca_file = {};    // empty: those that the system trusts
  std::string cert_file = {};  // both of these, or neither
  std::string key_file = {};
};

// Makes a context trust and show what the files hold, by TLS 1.2 or later. Errors: kInvalidArgument
// with the file's name for one that is of no use.
[[nodiscard]] absl::Status LoadTlsFiles(const TlsFiles& files, boost::asio::ssl::context& context);

// What a failure of the handshake, or of the connection after it, most likely means, and what to
// do; empty where the error speaks for itself.
[[nodiscard]] std::string_view TlsCure(const boost::system::error_code& error, bool is_established,
                                       bool shows_certificate);

}  // namespace felix::datastore
