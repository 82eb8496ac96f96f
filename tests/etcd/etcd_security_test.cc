// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "datastore/etcd/etcd_keys.h"
#include "tests/etcd/source_fixture.h"
#include "tests/support/certificates.h"
#include "tests/support/etcd_server.h"

namespace felix::datastore {
namespace {

using ::testing::IsEmpty;

constexpr std::string_view kUser = "root";
constexpr std::string_view kPassword = "secret \"word\"";

class EtcdSecurityTest : public SourceFixture {
 protected:
  // Whoever talks to the server has to show a certificate of the authority.
  void StartServer(const TlsFiles& shown, const TlsFiles& own) {
    server_ = std::make_unique<EtcdServer>(EtcdServerOptions{
        .arguments = {"--client-cert-auth", "--trusted-ca-file=" + own.ca_file,
                      "--cert-file=" + shown.cert_file, "--key-file=" + shown.key_file},
        .tls = true,
        .files = own});
  }
  void StartServerWithUsers(const std::string& token_argument) {
    server_ = std::make_unique<EtcdServer>(
        EtcdServerOptions{.arguments = {"--bcrypt-cost=4", "--auth-token-ttl=2", token_argument},
                          .user = std::string(kUser),
                          .password = std::string(kPassword)});
    Fill();
    server_->EnableUsers();
  }
  void Fill() {
    server_->Put(kClusterInformationKey, ReadyValue(true));
    PutTier("a", 1);
  }
  void PutTier(std::string_view name, int order) {
    server_->Put(TierKey(name), TierValue(name, order));
  }
  [[nodiscard]] EtcdConfig ConfigWith(const TlsFiles& files) const {
    return {.endpoints = {server_->endpoint()}, .tls = files};
  }
  [[nodiscard]] EtcdConfig ConfigWithUser() const {
    EtcdConfig config = ConfigWith({});
    config.user = kUser;
    config.password = kPassword;
    config.timing.probe_after = EtcdTiming::Duration(500);
    return config;
  }

  CertificateAuthority authority_;
  std::unique_ptr<EtcdServer> server_;
};

TEST_F(EtcdSecurityTest, ReadsAndFollowsWithAClientCertificate) {
  const TlsFiles client = authority_.Issue("client", {.server = false});
  StartServer(authority_.Issue("server", {}), client);
  Fill();
  StartSource(ConfigWith(client));
  ExpectInSync(1);
  ExpectTier("a", 1);
  PutTier("a", 2);
  ExpectTier("a", 2);
  EXPECT_THAT(sink_.Now().losses, IsEmpty());
}

TEST_F(EtcdSecurityTest, SaysThatTheServerWantsACertificate) {
  const TlsFiles client = authority_.Issue("client", {.server = false});
  StartServer(authority_.Issue("server", {}), client);
  StartSource(ConfigWith({.ca_file = client.ca_file}));
  ExpectLoss("EtcdCertFile");
}

TEST_F(EtcdSecurityTest, SaysThatTheServerRefusesAnothersCertificate) {
  const TlsFiles client = authority_.Issue("client", {.server = false});
  StartServer(authority_.Issue("server", {}), client);
  const CertificateAuthority other;
  TlsFiles foreign = other.Issue("client", {.server = false});
  foreign.ca_file = client.ca_file;
  StartSource(ConfigWith(foreign));
  ExpectLoss("does not accept the client certificate");
}

TEST_F(EtcdSecurityTest, DoesNotTrustAServerOfAnotherAuthority) {
  TlsFiles client = authority_.Issue("client", {.server = false});
  StartServer(authority_.Issue("server", {}), client);
  const CertificateAuthority other;
  client.ca_file = other.ca_file();
  StartSource(ConfigWith(client));
  ExpectLoss("must come from an authority in EtcdCaFile");
}

TEST_F(EtcdSecurityTest, DoesNotTrustTheCertificateOfAnotherHost) {
  const TlsFiles client = authority_.Issue("client", {.server = false});
  StartServer(authority_.Issue("server", {}), client);
  EtcdConfig config = ConfigWith(client);
  config.endpoints[0].host = "localhost";
  StartSource(config);
  ExpectLoss("name the host as the endpoint does");
}

TEST_F(EtcdSecurityTest, NamesCauseAndCureOfAServerCertificateWithoutClientAuth) {
  const TlsFiles client = authority_.Issue("client", {.server = false});
  StartServer(authority_.Issue("server", {.client = false}), client);
  StartSource(ConfigWith(client));
  ExpectLoss("its server certificate must also allow clientAuth");
}

TEST_F(EtcdSecurityTest, SaysWhichOfTheSchemesIsWrong) {
  const TlsFiles client = authority_.Issue("client", {.server = false});
  StartServer(authority_.Issue("server", {}), client);
  EtcdConfig config = ConfigWith(client);
  config.endpoints[0].tls = false;
  StartSource(config);
  ExpectLoss("give https:// instead of http://");
  source_->Stop();
  server_ = std::make_unique<EtcdServer>();
  config = ConfigWith(client);
  config.endpoints[0].tls = true;
  StartSource(config);
  ExpectLoss("give http:// instead of https://");
}

TEST_F(EtcdSecurityTest, NamesTheFileThatIsOfNoUse) {
  TlsFiles client = authority_.Issue("client", {.server = false});
  StartServer(authority_.Issue("server", {}), client);
  client.key_file = client.cert_file;
  StartSource(ConfigWith(client));
  ExpectLoss(client.key_file);
}

// Everything is exchanged at once: the server's certificate, its authority, and ours.
TEST_F(EtcdSecurityTest, TakesUpRenewedCertificatesWithoutARestart) {
  const TlsFiles client = authority_.Issue("client", {.server = false});
  const TlsFiles shown = authority_.Issue("server", {});
  StartServer(shown, client);
  Fill();
  StartSource(ConfigWith(client));
  ExpectInSync(1);
  server_->Kill();
  const CertificateAuthority renewed;
  const auto replace = [](const TlsFiles& from, const TlsFiles& to) {
    const auto over = std::filesystem::copy_options::overwrite_existing;
    std::filesystem::copy_file(from.ca_file, to.ca_file, over);
    std::filesystem::copy_file(from.cert_file, to.cert_file, over);
    std::filesystem::copy_file(from.key_file, to.key_file, over);
  };
  replace(renewed.Issue("client", {.server = false}), client);
  replace(renewed.Issue("server", {}), shown);
  server_->Start();
  PutTier("a", 2);
  ExpectTier("a", 2);
}

TEST_F(EtcdSecurityTest, ReadsAndFollowsAsAUserAndRenewsItsToken) {
  StartServerWithUsers("--auth-token=simple");
  StartSource(ConfigWithUser());
  ExpectInSync(1);
  // Twice as long as a token lives.
  std::this_thread::sleep_for(std::chrono::seconds(4));
  PutTier("a", 2);
  ExpectTier("a", 2);
  EXPECT_THAT(sink_.Now().losses, IsEmpty());
}

TEST_F(EtcdSecurityTest, RenewsATokenThatUseDoesNotProlong) {
  const TlsFiles signer = authority_.MakeKeyPair("signer");
  StartServerWithUsers(
      fmt::format("--auth-token=jwt,pub-key={},priv-key={},sign-method=RS256,ttl=2s",
                  signer.cert_file, signer.key_file));
  StartSource(ConfigWithUser());
  ExpectInSync(1);
  std::this_thread::sleep_for(std::chrono::seconds(4));
  PutTier("a", 2);
  ExpectTier("a", 2);
  // A change of users makes all tokens old.
  server_->Ask("/v3/auth/user/add", AuthenticateRequest("somebody", "else"));
  std::this_thread::sleep_for(std::chrono::seconds(1));
  PutTier("a", 3);
  ExpectTier("a", 3);
  EXPECT_THAT(sink_.Now().losses, IsEmpty());
}

TEST_F(EtcdSecurityTest, GoesOnAsAUserAfterTheServerForgotAllTokens) {
  StartServerWithUsers("--auth-token=simple");
  StartSource(ConfigWithUser());
  ExpectInSync(1);
  server_->Kill();
  server_->Start();
  PutTier("a", 2);
  ExpectTier("a", 2);
}

TEST_F(EtcdSecurityTest, SaysThatAUserIsWanted) {
  StartServerWithUsers("--auth-token=simple");
  EtcdConfig config = ConfigWithUser();
  config.user.clear();
  StartSource(config);
  ExpectLoss("ETCD_USERNAME");
}

TEST_F(EtcdSecurityTest, SaysThatThePasswordIsWrong) {
  StartServerWithUsers("--auth-token=simple");
  EtcdConfig config = ConfigWithUser();
  config.password = "guess";
  StartSource(config);
  ExpectLoss("authentication failed, invalid user ID or password");
}

TEST_F(EtcdSecurityTest, SaysThatTheUserMayNotRead) {
  StartServerWithUsers("--auth-token=simple");
  server_->Ask("/v3/auth/user/add", AuthenticateRequest("guest", "guest"));
  EtcdConfig config = ConfigWithUser();
  config.user = config.password = "guest";
  StartSource(config);
  ExpectLoss("a role that may read");
}

// Its name in the certificate would do for etcd's other protocol, but not for the gateway.
TEST_F(EtcdSecurityTest, SaysThatTheNameInACertificateIsNoUser) {
  const TlsFiles client = authority_.Issue("root", {.server = false});
  const TlsFiles shown = authority_.Issue("server", {});
  server_ = std::make_unique<EtcdServer>(
      EtcdServerOptions{.arguments = {"--client-cert-auth", "--trusted-ca-file=" + client.ca_file,
                                      "--cert-file=" + shown.cert_file,
                                      "--key-file=" + shown.key_file, "--bcrypt-cost=4"},
                        .tls = true,
                        .files = client,
                        .user = std::string(kUser),
                        .password = std::string(kPassword)});
  server_->EnableUsers();
  StartSource(ConfigWith(client));
  ExpectLoss("gateway ignores the names in client certificates");
}

}  // namespace
}  // namespace felix::datastore
