// SPDX-License-Identifier: Apache-2.0
#include "tests/kernel/iptables/legacy_tools.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <sstream>
#include <thread>

#include "fmt/format.h"

namespace felix::testing {

std::string RunTool(const std::string& command) {
  FILE* pipe = popen(fmt::format("( {} ) 2>&1", command).c_str(), "r");
  if (pipe == nullptr) {
    ADD_FAILURE() << "cannot start a shell";
    return {};
  }
  std::string output;
  std::array<char, 4096> buffer{};
  while (const std::size_t n = fread(buffer.data(), 1, buffer.size(), pipe)) {
    output.append(buffer.data(), n);
  }
  EXPECT_EQ(pclose(pipe), 0) << command << "\n" << output;
  return output;
}

std::string Tool(model::IpFamily family) {
  return family == model::IpFamily::kV4 ? "iptables-legacy" : "ip6tables-legacy";
}

std::string SavedTable(model::IpFamily family, const std::string& table, bool with_counters) {
  const std::string saved =
      RunTool(fmt::format("{}-save -t {}{}", Tool(family), table, with_counters ? " -c" : ""));
  std::istringstream lines(saved);
  std::string out;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind('#', 0) != 0) out += line + "\n";
  }
  return out;
}

std::vector<std::string> SavedRules(model::IpFamily family, const std::string& table,
                                    const std::string& chain) {
  const std::string prefix = fmt::format("-A {} ", chain);
  std::istringstream lines(SavedTable(family, table));
  std::vector<std::string> rules;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(prefix, 0) == 0) rules.push_back(line.substr(prefix.size()));
  }
  return rules;
}

void AppendWithoutLock(const std::string& chain, const std::string& source,
                       iptables::Counters counters) {
  // Another lock file stands for none.
  const std::string other = fmt::format("/tmp/felix-test-other-lock-{}", getpid());
  RunTool(fmt::format("XTABLES_LOCKFILE={} iptables-legacy -A {} -s {} -c {} {} -j ACCEPT", other,
                      chain, source, counters.packets, counters.bytes));
  unlink(other.c_str());
}

void SendDatagrams(int count) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(9);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0; i < count; ++i) {
    EXPECT_EQ(sendto(fd, "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 1);
    if (i % 50 == 0) std::this_thread::yield();
  }
  close(fd);
}

}  // namespace felix::testing
