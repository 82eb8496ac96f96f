// SPDX-License-Identifier: Apache-2.0
#include "tests/kernel/felix/program.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "fmt/format.h"

#include "model/base/check.h"

namespace felix::testing {
namespace {

std::string TemporaryDirectory() {
  std::string path = "/tmp/felix-test-XXXXXX";
  FELIX_CHECK(mkdtemp(path.data()) != nullptr, "cannot make a directory");
  return path;
}

std::string ReadAll(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path).rdbuf();
  return content.str();
}

std::string WithoutComments(const std::string& dump) {
  std::istringstream lines(dump);
  std::string kept;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with('#')) kept += line + "\n";
  }
  return kept;
}

}  // namespace

ResourceDirectory::ResourceDirectory() : path_(TemporaryDirectory()) {}

ResourceDirectory::~ResourceDirectory() {
  std::filesystem::remove_all(path_);
}

void ResourceDirectory::Write(const std::string& name, const std::string& content) const {
  const std::string unfinished = path_ + "/." + name + ".new";
  std::ofstream(unfinished) << content;
  std::filesystem::rename(unfinished, path_ + "/" + name);
}

void ResourceDirectory::Remove(const std::string& name) const {
  std::filesystem::remove(path_ + "/" + name);
}

std::string EndpointYaml(const std::string& interface, int number) {
  return fmt::format(R"(apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata:
  name: node--1-cni-c{1}-eth0
  namespace: default
  labels: {{app: web}}
spec:
  node: node-1
  orchestrator: cni
  containerID: c{1}
  endpoint: eth0
  interfaceName: {0}
  ipNetworks: [10.65.0.{1}/32, "fd00::{1}/128"]
)",
                     interface, number);
}

std::string PolicyYaml(const std::string& name, int port) {
  return fmt::format(R"(apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {{name: {}}}
spec:
  selector: app == "web"
  types: [Ingress]
  ingress:
  - action: Allow
    protocol: TCP
    source: {{selector: app == "web"}}
    destination: {{ports: [{}]}}
)",
                     name, port);
}

std::string DoorYaml(int port) {
  return fmt::format(R"(apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {{name: door}}
spec:
  order: 1
  selector: app == "web"
  types: [Ingress, Egress]
  ingress:
  - {{action: Allow, protocol: UDP, source: {{selector: app == "web"}}, destination: {{ports: [{}]}}}}
  egress:
  - {{action: Allow}}
)",
                     port);
}

std::string ConfigurationYaml(const std::string& field, const std::string& value) {
  return fmt::format(R"(apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: {{name: default}}
spec: {{{}: {}}}
)",
                     field, value);
}

RunResult RunFelix(const NetworkNamespace& netns, const std::string& arguments) {
  const std::string directory = TemporaryDirectory();
  RunResult result;
  result.exit_status = netns.Shell(
      fmt::format("{} {} >{}/out 2>{}/err", FELIX_BINARY, arguments, directory, directory));
  result.out = ReadAll(directory + "/out");
  result.err = ReadAll(directory + "/err");
  std::filesystem::remove_all(directory);
  return result;
}

RunResult RunOnce(const NetworkNamespace& netns, const ResourceDirectory& resources,
                  const std::string& more) {
  return RunFelix(
      netns, fmt::format("--once --hostname node-1 --datastore {} {}", resources.address(), more));
}

std::string Dump(const NetworkNamespace& netns, bool with_counters) {
  std::string dump;
  const std::string flag = with_counters ? " -c" : "";
  const int status = netns.Shell(
      "iptables-legacy-save" + flag + " && ip6tables-legacy-save" + flag + " && ipset save -sorted",
      &dump);
  FELIX_CHECK(status == 0, "cannot dump what the kernel holds: " + dump);
  return WithoutComments(dump);
}

bool Holds(const NetworkNamespace& netns, const std::string& text) {
  return Dump(netns).find(text) != std::string::npos;
}

bool WaitUntil(const std::function<bool()>& condition, std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

FelixDaemon::FelixDaemon(const NetworkNamespace& netns, const std::string& datastore,
                         const std::vector<std::string>& more) {
  log_path_ = "/tmp/felix-test-log-XXXXXX";
  const int log = mkstemp(log_path_.data());
  FELIX_CHECK(log >= 0, "cannot make a log file");
  std::vector<std::string> arguments = {FELIX_BINARY, "--hostname", "node-1", "--datastore",
                                        datastore};
  arguments.insert(arguments.end(), more.begin(), more.end());
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  netns.Run([&] {
    pid_ = fork();
    if (pid_ != 0) return;
    dup2(log, STDERR_FILENO);
    execv(argv[0], argv.data());
    _exit(127);
  });
  close(log);
}

FelixDaemon::~FelixDaemon() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  std::remove(log_path_.c_str());
}

void FelixDaemon::Signal(int signal) const {
  kill(pid_, signal);
}

int FelixDaemon::Join() {
  int status = 0;
  if (!WaitUntil([&] { return waitpid(pid_, &status, WNOHANG) == pid_; })) return -1;
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string FelixDaemon::Log() const {
  return ReadAll(log_path_);
}

}  // namespace felix::testing
