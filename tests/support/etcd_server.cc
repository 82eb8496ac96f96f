// SPDX-License-Identifier: Apache-2.0
#include "tests/support/etcd_server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "absl/strings/escaping.h"
#include "fmt/format.h"
#include "gtest/gtest.h"

#include "datastore/etcd/gateway_messages.h"
#include "datastore/etcd/http_connection.h"
#include "model/base/strings.h"

namespace felix {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string Base64(std::string_view text) {
  return absl::Base64Escape(ToAbsl(text));
}

std::string PutText(std::string_view key, std::string_view value) {
  return fmt::format(R"({{"key":"{}","value":"{}"}})", Base64(key), Base64(value));
}

}  // namespace

int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const bool ok = bind(fd, generic, length) == 0 && getsockname(fd, generic, &length) == 0;
  EXPECT_TRUE(ok) << "no free port";
  close(fd);
  return ntohs(address.sin_port);
}

EtcdServer::EtcdServer(EtcdServerOptions options) : options_(std::move(options)) {
  std::string name = (std::filesystem::temp_directory_path() / "felix-etcd.XXXXXX").string();
  directory_ = mkdtemp(name.data());
  endpoint_ = {
      .tls = options_.tls, .host = "127.0.0.1", .port = static_cast<std::uint16_t>(FreePort())};
  peer_port_ = options_.peer_port == 0 ? FreePort() : options_.peer_port;
  if (options_.user_id != 0) {
    EXPECT_EQ(chown(directory_.c_str(), options_.user_id, options_.user_id), 0);
  }
  if (options_.initial_cluster.empty()) {
    Start();
  } else {
    served_ = endpoint_;
    Launch();
  }
}

EtcdServer::~EtcdServer() {
  Kill();
  std::filesystem::remove_all(directory_);
}

void EtcdServer::Start(bool hidden) {
  ASSERT_LT(pid_, 0) << "etcd runs";
  served_ = endpoint_;
  if (hidden) served_.port = static_cast<std::uint16_t>(FreePort());
  Launch();
  AwaitAnswers();
}

void EtcdServer::Launch() {
  const std::string peer = fmt::format("http://127.0.0.1:{}", peer_port_);
  std::vector<std::string> words = {
      "etcd",
      "--name=" + options_.name,
      "--data-dir=" + (directory_ / "data").string(),
      "--listen-client-urls=" + served_.ToString(),
      "--advertise-client-urls=" + served_.ToString(),
      "--listen-peer-urls=" + peer,
      "--initial-advertise-peer-urls=" + peer,
      "--initial-cluster=" + (options_.initial_cluster.empty() ? options_.name + "=" + peer
                                                               : options_.initial_cluster)};
  words.insert(words.end(), options_.arguments.begin(), options_.arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const std::string log = (directory_ / "log").string();
  pid_ = fork();
  ASSERT_GE(pid_, 0);
  if (pid_ == 0) {
    const int fd = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    if (options_.user_id == 0 || setuid(options_.user_id) == 0) execvp(argv[0], argv.data());
    _exit(127);
  }
}

void EtcdServer::AwaitAnswers() const {
  for (int i = 0; i < 600; ++i) {
    datastore::HttpConnection connection;
    if (connection.Connect(served_, options_.files, seconds(1)).ok() &&
        connection.Post("/v3/kv/range", "", R"({"key":"YQ=="})", seconds(5)).ok()) {
      return;
    }
    ASSERT_EQ(waitpid(pid_, nullptr, WNOHANG), 0) << "etcd ended at once: is it installed?";
    std::this_thread::sleep_for(milliseconds(20));
  }
  FAIL() << "etcd does not answer";
}

void EtcdServer::Kill() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void EtcdServer::Suspend() {
  kill(pid_, SIGSTOP);
}

void EtcdServer::Resume() {
  kill(pid_, SIGCONT);
}

void EtcdServer::SaveData() {
  std::filesystem::copy(directory_ / "data", directory_ / "saved",
                        std::filesystem::copy_options::recursive);
}

void EtcdServer::RestoreData() {
  std::filesystem::remove_all(directory_ / "data");
  std::filesystem::rename(directory_ / "saved", directory_ / "data");
}

std::string EtcdServer::Ask(std::string_view path, std::string_view body) const {
  if (!has_users_) return AskAs("", path, body);
  const auto token = datastore::ParseToken(
      AskAs("", "/v3/auth/authenticate",
            datastore::AuthenticateRequest(options_.user, options_.password)));
  EXPECT_TRUE(token.ok()) << token.status();
  return token.ok() ? AskAs(*token, path, body) : std::string();
}

void EtcdServer::EnableUsers() const {
  Ask("/v3/auth/user/add", datastore::AuthenticateRequest(options_.user, options_.password));
  Ask("/v3/auth/role/add", R"({"name":"root"})");
  Ask("/v3/auth/user/grant", fmt::format(R"({{"user":"{}","role":"root"}})", options_.user));
  Ask("/v3/auth/enable", "{}");
  has_users_ = true;
}

std::string EtcdServer::AskAs(std::string_view token, std::string_view path,
                              std::string_view body) const {
  datastore::HttpConnection connection;
  const absl::Status connected = connection.Connect(served_, options_.files, seconds(5));
  EXPECT_TRUE(connected.ok()) << connected;
  if (!connected.ok()) return {};
  const auto response = connection.Post(path, token, body, seconds(10));
  EXPECT_TRUE(response.ok()) << response.status();
  if (!response.ok()) return {};
  EXPECT_EQ(response->status, 200) << response->body;
  return response->body;
}

void EtcdServer::Put(std::string_view key, std::string_view value) const {
  Ask("/v3/kv/put", PutText(key, value));
}

void EtcdServer::Delete(std::string_view key) const {
  Ask("/v3/kv/deleterange", fmt::format(R"({{"key":"{}"}})", Base64(key)));
}

void EtcdServer::PutTwo(std::string_view key1, std::string_view value1, std::string_view key2,
                        std::string_view value2) const {
  Ask("/v3/kv/txn", fmt::format(R"({{"success":[{{"request_put":{}}},{{"request_put":{}}}]}})",
                                PutText(key1, value1), PutText(key2, value2)));
}

std::int64_t EtcdServer::Revision() const {
  const auto response = datastore::ParseRangeResponse(Ask("/v3/kv/range", R"({"key":"YQ=="})"));
  EXPECT_TRUE(response.ok()) << response.status();
  return response.ok() ? response->revision : 0;
}

void EtcdServer::Compact() const {
  Ask("/v3/kv/compaction", fmt::format(R"({{"revision":"{}"}})", Revision()));
}

}  // namespace felix
