// SPDX-License-Identifier: Apache-2.0
#include "bench/floors/tables.h"

#include <libiptc/libiptc.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <set>
#include <sstream>

#include "fmt/format.h"

#include "model/base/check.h"

extern char** environ;

namespace felix::bench {
namespace {

void MustBe(bool condition, const std::string& act) {
  FELIX_CHECK(condition, fmt::format("{}: {}", act, std::strerror(errno)));
}

// These structs end in an array of no size, which clang does not initialise with braces.
template <typename T>
T Zeroed() {
  T value;
  std::memset(&value, 0, sizeof value);
  return value;
}

int RawSocket() {
  const int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
  MustBe(fd >= 0, "making a raw socket");
  return fd;
}

ipt_getinfo Info(int fd, const char* table = "filter") {
  ipt_getinfo info{};
  std::strcpy(info.name, table);
  socklen_t length = sizeof info;
  MustBe(getsockopt(fd, IPPROTO_IP, IPT_SO_GET_INFO, &info, &length) == 0, "asking for the size");
  return info;
}

int MemoryFile(const std::string& content) {
  const int fd = memfd_create("bench", MFD_CLOEXEC);
  MustBe(fd >= 0, "making a memory file");
  MustBe(write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()) &&
             lseek(fd, 0, SEEK_SET) == 0,
         "filling a memory file");
  return fd;
}

std::string ReadAll(int fd) {
  MustBe(lseek(fd, 0, SEEK_SET) == 0, "rewinding");
  std::string all;
  std::array<char, 65536> part{};
  for (ssize_t got = 0; (got = read(fd, part.data(), part.size())) > 0;) {
    all.append(part.data(), static_cast<std::size_t>(got));
  }
  return all;
}

}  // namespace

void RewriteWithLibiptc(const std::vector<NamedChain>& chains) {
  xtc_handle* const handle = iptc_init("filter");
  MustBe(handle != nullptr, "iptc_init");
  for (const NamedChain& chain : chains) {
    const char* name = chain.name.c_str();
    const int made = iptc_is_chain(name, handle) != 0 ? iptc_flush_entries(name, handle)
                                                      : iptc_create_chain(name, handle);
    MustBe(made != 0, "emptying " + chain.name);
    for (const iptables::EncodedRule& rule : chain.rules) {
      const auto* entry = reinterpret_cast<const ipt_entry*>(rule.bytes.data());
      MustBe(iptc_append_entry(name, entry, handle) != 0, "appending to " + chain.name);
    }
  }
  MustBe(iptc_commit(handle) != 0, "iptc_commit");
  iptc_free(handle);
}

TableBytes TableBytes::Read(const char* name) {
  const int fd = RawSocket();
  const ipt_getinfo info = Info(fd, name);
  std::vector<char> answer(sizeof(ipt_get_entries) + info.size);
  auto head = Zeroed<ipt_get_entries>();
  std::strcpy(head.name, name);
  head.size = info.size;
  std::memcpy(answer.data(), &head, sizeof head);
  auto length = static_cast<socklen_t>(answer.size());
  MustBe(getsockopt(fd, IPPROTO_IP, IPT_SO_GET_ENTRIES, answer.data(), &length) == 0, "reading");
  close(fd);

  auto replace = Zeroed<ipt_replace>();
  std::strcpy(replace.name, name);
  replace.valid_hooks = info.valid_hooks;
  replace.num_entries = info.num_entries;
  replace.size = info.size;
  std::memcpy(replace.hook_entry, info.hook_entry, sizeof replace.hook_entry);
  std::memcpy(replace.underflow, info.underflow, sizeof replace.underflow);
  TableBytes table;
  table.entries_ = info.num_entries;
  table.size_ = info.size;
  table.replace_.resize(sizeof replace + info.size);
  std::memcpy(table.replace_.data(), &replace, sizeof replace);
  std::memcpy(table.replace_.data() + sizeof replace, answer.data() + sizeof head, info.size);
  return table;
}

void TableBytes::Replace() {
  const int fd = RawSocket();
  auto head = Zeroed<ipt_replace>();
  std::memcpy(&head, replace_.data(), sizeof head);
  const ipt_getinfo now = Info(fd, head.name);
  std::vector<xt_counters> counters(now.num_entries);
  head.num_counters = now.num_entries;
  head.counters = counters.data();
  std::memcpy(replace_.data(), &head, sizeof head);
  MustBe(setsockopt(fd, IPPROTO_IP, IPT_SO_SET_REPLACE, replace_.data(),
                    static_cast<socklen_t>(replace_.size())) == 0,
         "replacing");
  close(fd);
}

std::string RunProgram(const std::vector<std::string>& command, const std::string& input) {
  const int in = MemoryFile(input);
  const int out = MemoryFile("");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  FELIX_CHECK(error == 0, fmt::format("starting {}: {}", command.front(), std::strerror(error)));
  int status = -1;
  MustBe(waitpid(pid, &status, 0) == pid, "waiting for " + command.front());
  FELIX_CHECK(status == 0, command.front() + " failed");
  std::string printed = ReadAll(out);
  close(in);
  close(out);
  return printed;
}

void RestoreWithProcess(const std::string& text) {
  RunProgram({"iptables-legacy-restore", "--noflush"}, text);
}

std::string SavedTable() {
  std::istringstream lines(RunProgram({"iptables-legacy-save", "-t", "filter"}));
  std::string saved;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#')) continue;
    if (line.starts_with(':')) line = line.substr(0, line.find(" [")) + " [0:0]";
    saved += line + "\n";
  }
  return saved;
}

std::string TextOfChains(const std::string& saved, const std::vector<NamedChain>& chains) {
  std::set<std::string> names;
  for (const NamedChain& chain : chains) names.insert(chain.name);
  std::string text = "*filter\n";
  for (const std::string& name : names) text += ":" + name + " - [0:0]\n";
  std::istringstream lines(saved);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("-A ")) continue;
    if (names.contains(line.substr(3, line.find(' ', 3) - 3))) text += line + "\n";
  }
  return text + "COMMIT\n";
}

}  // namespace felix::bench
