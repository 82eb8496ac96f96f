// SPDX-License-Identifier: Apache-2.0
#include "tests/demo/matrix.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "tests/demo/connection.h"

namespace felix::demo {
namespace {

constexpr std::int64_t kNanosecondsPerMillisecond = 1'000'000;
constexpr std::int64_t kAnswerNanoseconds = 3'000 * kNanosecondsPerMillisecond;

struct Connection {
  Attempt attempt;
  std::string received;
  std::int64_t deadline = 0;
  Cell cell;

  [[nodiscard]] bool decided() const { return !cell.verdict.empty(); }
};

void Decide(Connection& connection, const char* verdict) {
  connection.cell.verdict = verdict;
  connection.attempt.socket = Descriptor();
}

void NoteProgress(Connection& connection) {
  switch (connection.attempt.progress) {
    case Progress::kConnecting:
      return;
    case Progress::kConnected:
      connection.deadline = MonotonicNanoseconds() + kAnswerNanoseconds;
      return;
    case Progress::kRefused:
      return Decide(connection, "refused");
    case Progress::kUnreachable:
      return Decide(connection, "unreachable");
  }
}

void ReadAnswer(Connection& connection) {
  std::array<char, 256> buffer{};
  const ssize_t size = recv(connection.attempt.socket.fd(), buffer.data(), buffer.size(), 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size > 0) connection.received.append(buffer.data(), static_cast<size_t>(size));
  const size_t newline = connection.received.find('\n');
  if (newline != std::string::npos) {
    Cell& cell = connection.cell;
    cell.answer = connection.received.substr(0, newline);
    Decide(connection, cell.to.empty() || cell.answer == cell.to ? "reached" : "mistaken");
  } else if (size <= 0) {
    Decide(connection, "mute");
  }
}

void HandleEvent(Connection& connection) {
  if (connection.attempt.progress == Progress::kConnecting) {
    connection.attempt.progress = FinishConnection(connection.attempt.socket);
    NoteProgress(connection);
  } else {
    ReadAnswer(connection);
  }
}

void HandleDeadline(Connection& connection) {
  if (MonotonicNanoseconds() < connection.deadline) return;
  // The kernel is asked once more: this process may have been the slow one.
  if (connection.attempt.progress == Progress::kConnecting) {
    pollfd waiting = {.fd = connection.attempt.socket.fd(), .events = POLLOUT, .revents = 0};
    if (poll(&waiting, 1, 0) > 0) return HandleEvent(connection);
    return Decide(connection, "blocked");
  }
  Decide(connection, "mute");
}

// Waits once for news of the undecided connections; false if there are none.
bool Step(std::vector<Connection>& connections) {
  std::vector<pollfd> waiting;
  std::vector<Connection*> undecided;
  std::int64_t deadline = INT64_MAX;
  for (Connection& connection : connections) {
    if (connection.decided()) continue;
    const bool connecting = connection.attempt.progress == Progress::kConnecting;
    waiting.push_back({.fd = connection.attempt.socket.fd(),
                       .events = static_cast<short>(connecting ? POLLOUT : POLLIN),
                       .revents = 0});
    undecided.push_back(&connection);
    deadline = std::min(deadline, connection.deadline);
  }
  if (undecided.empty()) return false;
  const std::int64_t left = std::max<std::int64_t>(deadline - MonotonicNanoseconds(), 0);
  const auto milliseconds = static_cast<int>(left / kNanosecondsPerMillisecond + 1);
  if (poll(waiting.data(), waiting.size(), milliseconds) < 0 && errno != EINTR) {
    Fail("cannot wait for connections");
  }
  for (size_t i = 0; i < undecided.size(); ++i) {
    if (waiting[i].revents != 0) {
      HandleEvent(*undecided[i]);
    } else {
      HandleDeadline(*undecided[i]);
    }
  }
  return true;
}

}  // namespace

std::vector<Cell> MeasureMatrix(const std::vector<Origin>& origins,
                                const std::vector<Target>& targets,
                                std::chrono::milliseconds timeout) {
  std::vector<Connection> connections;
  for (const Origin& origin : origins) {
    if (!origin.network_namespace.empty()) EnterNamespace(origin.network_namespace);
    for (const Target& target : targets) {
      Connection& connection = connections.emplace_back();
      connection.cell.from = origin.name;
      connection.cell.to = target.name;
      connection.deadline =
          MonotonicNanoseconds() + std::int64_t{timeout.count()} * kNanosecondsPerMillisecond;
      connection.attempt = StartConnection(target.address);
      NoteProgress(connection);
    }
  }
  while (Step(connections)) {
  }
  std::vector<Cell> cells;
  cells.reserve(connections.size());
  for (Connection& connection : connections) cells.push_back(std::move(connection.cell));
  return cells;
}

}  // namespace felix::demo
