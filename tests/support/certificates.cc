// SPDX-License-Identifier: Apache-2.0
#include "tests/support/certificates.h"

#include <cstdlib>
#include <fstream>

#include "fmt/format.h"
#include "gtest/gtest.h"

namespace felix {
namespace {

constexpr std::string_view kNewKey =
    "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";

}  // namespace

CertificateAuthority::CertificateAuthority() {
  std::string name = (std::filesystem::temp_directory_path() / "felix-tls.XXXXXX").string();
  directory_ = mkdtemp(name.data());
  // Without one, the machine's configuration adds extensions of its own.
  std::ofstream(directory_ / "cnf") << "[req]\ndistinguished_name=dn\n[dn]\n";
  OpenSsl(
      fmt::format("req -x509 {} -config cnf -subj /CN=authority -keyout ca.key -out ca.crt "
                  "-addext basicConstraints=critical,CA:TRUE "
                  "-addext keyUsage=critical,keyCertSign",
                  kNewKey));
}

CertificateAuthority::~CertificateAuthority() {
  std::filesystem::remove_all(directory_);
}

void CertificateAuthority::OpenSsl(const std::string& arguments) const {
  const std::string command =
      fmt::format("cd {} && openssl {} > log 2>&1", directory_.string(), arguments);
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
}

datastore::TlsFiles CertificateAuthority::Issue(std::string_view name,
                                                const Purpose& purpose) const {
  const std::string usage =
      fmt::format("{}{}{}", purpose.server ? "serverAuth" : "",
                  purpose.server && purpose.client ? "," : "", purpose.client ? "clientAuth" : "");
  OpenSsl(
      fmt::format("req -x509 {0} -config cnf -CA ca.crt -CAkey ca.key -subj /CN={1} "
                  "-keyout {1}.key -out {1}.crt -addext basicConstraints=CA:FALSE "
                  "-addext extendedKeyUsage={2} -addext subjectAltName=IP:127.0.0.1",
                  kNewKey, name, usage));
  const std::string path = (directory_ / name).string();
  return {.ca_file = ca_file(), .cert_file = path + ".crt", .key_file = path + ".key"};
}

datastore::TlsFiles CertificateAuthority::MakeKeyPair(std::string_view name) const {
  OpenSsl(fmt::format("genrsa -out {0}.key 2048 && openssl rsa -in {0}.key -pubout -out {0}.pub",
                      name));
  const std::string path = (directory_ / name).string();
  return {.ca_file = {}, .cert_file = path + ".pub", .key_file = path + ".key"};
}

}  // namespace felix
