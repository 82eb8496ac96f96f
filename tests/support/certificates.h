// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "datastore/etcd/http_connection.h"

namespace felix {

// An authority that issues certificates for 127.0.0.1 in a directory of its own, which ends with
// this object; by the openssl program. What goes wrong fails the test.
class CertificateAuthority {
 public:
  CertificateAuthority();
  ~CertificateAuthority();
  CertificateAuthority(const CertificateAuthority&) = delete;
  CertificateAuthority& operator=(const CertificateAuthority&) = delete;

  // For which ends of a connection the certificate may stand.
  struct Purpose {
    bool server = true;
    bool client = true;
  };
  // `name` is the common name, and that of the files.
  [[nodiscard]] datastore::TlsFiles Issue(std::string_view name, const Purpose& purpose) const;
  // Public and private key of a signer of tokens, in two files named after it.
  [[nodiscard]] datastore::TlsFiles MakeKeyPair(std::string_view name) const;
  [[nodiscard]] std::string ca_file() const { return (directory_ / "ca.crt").string(); }

 private:
  void OpenSsl(const std::string& arguments) const;

  std::filesystem::path directory_;
};

}  // namespace felix
