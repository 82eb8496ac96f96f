// SPDX-License-Identifier: Apache-2.0
#include "datastore/etcd/name_resolver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include "gtest/gtest.h"

#include "tests/support/network_namespace.h"

namespace felix::datastore {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// On a thread for which the only name server takes questions and never answers.
void WithSilentNameServer(const std::function<void()>& body) {
  std::string file = (std::filesystem::temp_directory_path() / "felix-resolv.XXXXXX").string();
  close(mkstemp(file.data()));
  std::ofstream(file) << "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n";
  std::thread([&] {
    testing::EnterFreshNetworkNamespace();
    ASSERT_EQ(unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(mount(file.c_str(), "/etc/resolv.conf", nullptr, MS_BIND, nullptr), 0);
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(53);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    body();
    close(fd);
  }).join();
  std::filesystem::remove(file);
}

TEST(NameResolver, GivesUpInTimeWhileTheSystemStillWaits) {
  FELIX_REQUIRE_ROOT();
  WithSilentNameServer([] {
    const std::atomic<bool> interrupted = false;
    const Clock::time_point start = Clock::now();
    const auto found = ResolveHost("etcd.test", 2379, start + milliseconds(200), interrupted);
    EXPECT_TRUE(absl::IsDeadlineExceeded(found.status())) << found.status();
    EXPECT_LT(Clock::now() - start, milliseconds(1000));
  });
}

TEST(NameResolver, IsInterruptedWhileTheSystemStillWaits) {
  FELIX_REQUIRE_ROOT();
  WithSilentNameServer([] {
    std::atomic<bool> interrupted = false;
    const Clock::time_point start = Clock::now();
    std::thread other([&] {
      std::this_thread::sleep_for(milliseconds(100));
      interrupted = true;
    });
    const auto found = ResolveHost("etcd.test", 2379, start + milliseconds(5000), interrupted);
    other.join();
    EXPECT_TRUE(absl::IsCancelled(found.status())) << found.status();
    EXPECT_LT(Clock::now() - start, milliseconds(1000));
  });
}

TEST(NameResolver, FindsNamesAndTakesAddressesAsTheyAre) {
  const std::atomic<bool> interrupted = false;
  for (const std::string host : {"localhost", "127.0.0.1", "::1"}) {
    const auto found =
        ResolveHost(host, 2379, Clock::now() + std::chrono::seconds(10), interrupted);
    ASSERT_TRUE(found.ok()) << host << found.status();
    ASSERT_FALSE(found->empty()) << host;
    EXPECT_TRUE(found->front().address().is_loopback()) << host;
    EXPECT_EQ(found->front().port(), 2379) << host;
  }
}

}  // namespace
}  // namespace felix::datastore
