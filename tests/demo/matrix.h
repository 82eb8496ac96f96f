// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <netinet/in.h>

#include <chrono>
#include <string>
#include <vector>

namespace felix::demo {

// From where connections are made: a name and a network namespace; an empty one is where the
// process is.
struct Origin {
  std::string name;
  std::string network_namespace;
};

// To which server: its name, which it must answer (any will do if empty), and its address.
struct Target {
  std::string name;
  sockaddr_in address{};
};

// What became of one connection. `verdict` is one of
//   reached      the server answered with its name
//   blocked      no answer to the SYN within the time allowed
//   refused      a reset came back
//   unreachable  the network said so
//   mute         connected, but no name came
//   mistaken     another server answered
struct Cell {
  std::string from;
  std::string to;
  std::string verdict;
  std::string answer;  // the name that came, if one did
};

// Tries every target from every origin, all at the same time; rows in the order of `origins`. A
// connection has `timeout` to be accepted, and then some seconds more to deliver the name, so that
// a slow server is never taken for a blocked one. Moves the calling thread between namespaces.
std::vector<Cell> MeasureMatrix(const std::vector<Origin>& origins,
                                const std::vector<Target>& targets,
                                std::chrono::milliseconds timeout);

}  // namespace felix::demo
