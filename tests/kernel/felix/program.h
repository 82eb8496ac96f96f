// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/network_namespace.h"

namespace felix::testing {

// A directory of resources that goes with the object. Files appear as a careful writer makes them:
// complete, by renaming.
class ResourceDirectory {
 public:
  ResourceDirectory();
  ~ResourceDirectory();
  ResourceDirectory(const ResourceDirectory&) = delete;
  ResourceDirectory& operator=(const ResourceDirectory&) = delete;

  void Write(const std::string& name, const std::string& content) const;
  void Remove(const std::string& name) const;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string address() const { return "file:" + path_; }

 private:
  std::string path_;
};

// An endpoint of host node-1 on `interface`, labelled app=web, with an address in both families.
std::string EndpointYaml(const std::string& interface, int number);
// A policy for app=web that allows TCP to `port` from app=web.
std::string PolicyYaml(const std::string& name, int port);
// A policy for app=web that allows datagrams to `port` from app=web, and everything out.
std::string DoorYaml(int port);
std::string ConfigurationYaml(const std::string& field, const std::string& value);

struct RunResult {
  int exit_status = -1;
  std::string out;
  std::string err;
};
// Runs the program in the namespace to its end.
RunResult RunFelix(const NetworkNamespace& netns, const std::string& arguments);
// `felix --once` for host node-1 on that directory.
RunResult RunOnce(const NetworkNamespace& netns, const ResourceDirectory& resources,
                  const std::string& more = "");

// What the kernel holds, both families and all sets, without the times of the dump. With counters,
// a rule that was written anew shows.
std::string Dump(const NetworkNamespace& netns, bool with_counters = false);
bool Holds(const NetworkNamespace& netns, const std::string& text);

bool WaitUntil(const std::function<bool()>& condition,
               std::chrono::milliseconds patience = std::chrono::seconds(10));

// The daemon for host node-1, running in a namespace. Killed with the object if it still lives.
class FelixDaemon {
 public:
  FelixDaemon(const NetworkNamespace& netns, const std::string& datastore,
              const std::vector<std::string>& more = {});
  ~FelixDaemon();
  FelixDaemon(const FelixDaemon&) = delete;
  FelixDaemon& operator=(const FelixDaemon&) = delete;

  void Signal(int signal) const;
  // Its exit status, or 128 and the signal that ended it; -1 if it does not end in ten seconds.
  int Join();
  [[nodiscard]] std::string Log() const;

 private:
  pid_t pid_ = -1;
  std::string log_path_;
};

}  // namespace felix::testing
