// SPDX-License-Identifier: Apache-2.0
#include "bench/floors/process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "fmt/format.h"

extern char** environ;

namespace felix::bench {
namespace {

struct Pipe {
  ~Pipe() {
    CloseReader();
    CloseWriter();
  }
  bool Open() { return pipe2(ends.data(), O_CLOEXEC) == 0; }
  void CloseReader() { CloseEnd(ends[0]); }
  void CloseWriter() { CloseEnd(ends[1]); }
  static void CloseEnd(int& end) {
    if (end >= 0) close(end);
    end = -1;
  }

  std::array<int, 2> ends = {-1, -1};
};

// Feeds and listens until the process has closed its output.
void Converse(Pipe& in, Pipe& out, std::string_view input, std::string* output) {
  if (input.empty()) in.CloseWriter();
  for (bool open = true; open;) {
    std::array<pollfd, 2> waiting = {pollfd{out.ends[0], POLLIN, 0},
                                     pollfd{in.ends[1], POLLOUT, 0}};
    if (poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) return;
    if (waiting[1].revents != 0) {
      const ssize_t written = write(in.ends[1], input.data(), input.size());
      if (written > 0) input.remove_prefix(static_cast<std::size_t>(written));
      const bool broken = written < 0 && errno != EAGAIN && errno != EINTR;
      if (input.empty() || broken) in.CloseWriter();
    }
    if (waiting[0].revents != 0) {
      std::array<char, 65536> buffer{};
      const ssize_t got = read(out.ends[0], buffer.data(), buffer.size());
      if (got > 0 && output != nullptr) {
        output->append(buffer.data(), static_cast<std::size_t>(got));
      }
      open = got > 0 || (got < 0 && errno == EINTR);
    }
  }
}

}  // namespace

absl::Status RunProcess(const std::vector<std::string>& arguments, std::string_view input,
                        std::string* output) {
  Pipe in;
  Pipe out;
  if (!in.Open() || !out.Open()) {
    return absl::UnavailableError(fmt::format("opening a pipe: {}", std::strerror(errno)));
  }
  fcntl(in.ends[1], F_SETFL, O_NONBLOCK);
  std::vector<std::string> copies = arguments;
  std::vector<char*> argv;
  for (std::string& copy : copies) argv.push_back(copy.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.ends[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out.ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out.ends[1], STDERR_FILENO);
  pid_t child = 0;
  const int error = posix_spawnp(&child, argv.front(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return absl::UnavailableError(
        fmt::format("starting {}: {}", arguments.front(), std::strerror(error)));
  }
  in.CloseReader();
  out.CloseWriter();
  // A process that ends early must not end this one.
  auto* before = std::signal(SIGPIPE, SIG_IGN);
  Converse(in, out, input, output);
  in.CloseWriter();
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  std::signal(SIGPIPE, before);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return absl::InternalError(fmt::format("{} ended with status {:#x}", arguments.front(), status));
}

}  // namespace felix::bench
