// SPDX-License-Identifier: Apache-2.0
// What it costs to begin with a large cluster in etcd, and how soon a change is known. Each
// contender is a process of its own, and they take turns:
//   bare    a gateway read of the same bytes in pages, each parsed no further than its last key
//   source  from the start of EtcdSource to what the kernel should hold
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cctype>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "fmt/format.h"

#include "bench/stopwatch.h"
#include "compiler/graph.h"
#include "datastore/etcd/etcd_keys.h"
#include "datastore/etcd/etcd_source.h"
#include "datastore/etcd/gateway_messages.h"
#include "datastore/update_queue.h"
#include "model/base/check.h"
#include "model/base/strings.h"
#include "tests/support/etcd_server.h"
#include "tests/support/random_etcd_writes.h"

namespace felix::bench {
namespace {

using datastore::EtcdEndpoint;
using datastore::HttpConnection;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

constexpr int kPageSize = 2000;  // as the source's
constexpr int kRoles = 200;
constexpr int kHosts = 1000;
constexpr int kPutsPerTransaction = 120;

EtcdWrite EndpointNumber(int i) {
  return EndpointWrite(fmt::format("node-{}", i % kHosts), i, fmt::format("r{}", i / 7 % kRoles),
                       fmt::format("10.{}.{}.{}", i >> 16, (i >> 8) & 255, i & 255));
}

void Fill(const EtcdServer& server, int endpoints, int policies) {
  server.Put(datastore::kClusterInformationKey,
             R"({"kind":"ClusterInformation","apiVersion":"projectcalico.org/v3",)"
             R"("metadata":{"name":"default"},"spec":{"datastoreReady":true}})");
  HttpConnection connection;
  FELIX_CHECK(connection.Connect(server.endpoint(), {}, seconds(5)).ok(), "connect to etcd");
  std::string operations;
  int count = 0;
  const auto flush = [&] {
    const auto response = connection.Post(
        "/v3/kv/txn", "", fmt::format(R"({{"success":[{}]}})", operations), seconds(30));
    FELIX_CHECK(response.ok() && response->status == 200, "fill etcd");
    operations.clear();
    count = 0;
  };
  const auto add = [&](const EtcdWrite& write) {
    if (count != 0) operations += ',';
    operations +=
        fmt::format(R"({{"request_put":{}}})", datastore::PutRequest(write.key, *write.value, 0));
    if (++count == kPutsPerTransaction) flush();
  };
  for (int i = 0; i < endpoints; ++i) add(EndpointNumber(i));
  for (int i = 0; i < policies; ++i) {
    add(PolicyWrite(fmt::format("p{}", i), fmt::format("r{}", i % kRoles), 1000 + i));
  }
  if (count != 0) flush();
}

// The last key of a page, found from its end.
std::string LastKey(std::string_view body) {
  constexpr std::string_view kMember = "\"key\":\"";
  const std::size_t at = body.rfind(kMember);
  if (at == std::string_view::npos) return {};
  std::string_view text = body.substr(at + kMember.size());
  std::string key;
  FELIX_CHECK(absl::Base64Unescape(ToAbsl(text.substr(0, text.find('"'))), &key), "read a key");
  return key;
}

std::size_t ReadBare(const EtcdEndpoint& endpoint) {
  HttpConnection connection;
  FELIX_CHECK(connection.Connect(endpoint, {}, seconds(5)).ok(), "connect to etcd");
  std::size_t bytes = 0;
  for (std::string from(datastore::kEtcdRangeStart);;) {
    const auto response = connection.Post(
        "/v3/kv/range", "", datastore::RangeRequest(from, datastore::kEtcdRangeEnd, 0, kPageSize),
        seconds(30));
    FELIX_CHECK(response.ok() && response->status == 200, "read etcd");
    bytes += response->body.size();
    if (response->body.find("\"more\":true") == std::string::npos) return bytes;
    from = LastKey(response->body) + '\0';
  }
}

// An agent without a kernel: hears a source and compiles.
class Agent {
 public:
  explicit Agent(const EtcdEndpoint& endpoint)
      : graph_([] {
          compiler::Options options;
          options.hostname = "node-1";
          return options;
        }()),
        source_({.endpoints = {endpoint}}) {
    FELIX_CHECK(source_.Start(queue_).ok(), "start the source");
  }
  ~Agent() { source_.Stop(); }
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // Returns when something came and was compiled; whether the source was in sync meanwhile.
  bool Turn() {
    FELIX_CHECK(queue_.WaitFor(absl::Seconds(60)), "hear the source");
    const auto pending = queue_.Drain();
    graph_.OnUpdates(pending.updates);
    if (pending.in_sync_marks != 0) is_in_sync_ = true;
    if (is_in_sync_) static_cast<void>(graph_.Flush());
    return is_in_sync_;
  }
  [[nodiscard]] std::size_t chains() const { return graph_.desired().chains.size(); }

 private:
  compiler::Graph graph_;
  datastore::UpdateQueue queue_;
  datastore::EtcdSource source_;
  bool is_in_sync_ = false;
};

std::string MemoryFigures() {
  std::ifstream file("/proc/self/status");
  std::string figures;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("VmRSS:") && !line.starts_with("VmHWM:")) continue;
    const std::size_t number = line.find_first_of("0123456789");
    figures += fmt::format(" {}={:.0f} MB", line.substr(0, 5),
                           std::strtod(line.c_str() + number, nullptr) * 1024 / 1e6);
  }
  return figures;
}

double ProcessSeconds() {
  timespec spent{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
  return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) / 1e9;
}

void RunContender(std::string_view name, std::uint16_t port) {
  const EtcdEndpoint endpoint{.tls = false, .host = "127.0.0.1", .port = port};
  const double before = ProcessSeconds();
  std::string detail;
  std::optional<Agent> agent;
  const double elapsed = Elapsed([&] {
    if (name == "bare") {
      detail = fmt::format("bytes={}", ReadBare(endpoint));
      return;
    }
    agent.emplace(endpoint);
    while (!agent->Turn()) {
    }
    detail = fmt::format("chains={}", agent->chains());
  });
  const double spent = ProcessSeconds() - before;
  // What the agent settles down to.
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  const std::string memory = MemoryFigures();
  malloc_trim(0);
  fmt::print("  {:<7} {:6.0f} ms, {:6.0f} ms of processor,{} (trimmed:{}) {}\n", name,
             elapsed / 1e3, spent * 1e3, memory, MemoryFigures(), detail);
}

void RunInProcess(const char* self, const char* name, std::uint16_t port) {
  std::fflush(stdout);
  const pid_t pid = fork();
  FELIX_CHECK(pid >= 0, "fork");
  if (pid == 0) {
    execl(self, self, name, std::to_string(port).c_str(), nullptr);
    _exit(127);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  FELIX_CHECK(status == 0, "a contender failed");
}

// Puts of one endpoint after the other. A bare watch and the agent hear the same puts.
void MeasureLatency(const EtcdServer& server, int puts) {
  Agent agent(server.endpoint());
  while (!agent.Turn()) {
  }
  HttpConnection watch;
  HttpConnection writer;
  FELIX_CHECK(watch.Connect(server.endpoint(), {}, seconds(5)).ok() &&
                  writer.Connect(server.endpoint(), {}, seconds(5)).ok(),
              "connect to etcd");
  FELIX_CHECK(
      watch.OpenStream("/v3/watch", "",
                       datastore::WatchRequest(datastore::kEtcdRangeStart, datastore::kEtcdRangeEnd,
                                               server.Revision() + 1),
                       seconds(5))
              .ok() &&
          watch.ReadLine(seconds(5)).ok(),
      "watch etcd");
  std::vector<double> bare;
  std::vector<double> ours;
  for (int i = 0; i < puts; ++i) {
    const EtcdWrite write = EndpointWrite("node-1", 1 + i % 50 * kHosts, i % 2 == 0 ? "r1" : "r2",
                                          fmt::format("10.200.{}.{}", i >> 8, i & 255));
    const std::string body = datastore::PutRequest(write.key, *write.value, 0);
    const auto start = Clock::now();
    Clock::time_point watched;
    std::thread reader([&] {
      FELIX_CHECK(watch.ReadLine(seconds(10)).ok(), "hear of a put");
      watched = Clock::now();
    });
    std::thread putter(
        [&] { FELIX_CHECK(writer.Post("/v3/kv/put", "", body, seconds(5)).ok(), "put"); });
    agent.Turn();
    const auto compiled = Clock::now();
    reader.join();
    putter.join();
    bare.push_back(std::chrono::duration<double, std::micro>(watched - start).count());
    ours.push_back(std::chrono::duration<double, std::micro>(compiled - start).count());
  }
  std::vector<double> above;
  for (std::size_t i = 0; i < bare.size(); ++i) above.push_back(ours[i] - bare[i]);
  for (const auto& [name, samples] :
       {std::pair("put to bare watch", &bare), std::pair("put to compiled", &ours),
        std::pair("the latter above the former", &above)}) {
    fmt::print("  {:<28} p50 {:6.0f} us, p99 {:6.0f} us\n", name, Quantile(*samples, 0.5),
               Quantile(*samples, 0.99));
  }
}

void RunAll(const char* self, int endpoints, int policies) {
  const EtcdServer server;
  Fill(server, endpoints, policies);
  fmt::print("{} endpoints, {} policies\n", endpoints, policies);
  for (int round = 0; round < 3; ++round) {
    for (const char* name : {"bare", "source"}) {
      RunInProcess(self, name, server.endpoint().port);
    }
  }
  MeasureLatency(server, 500);
}

}  // namespace
}  // namespace felix::bench

int main(int argc, char** argv) {
  if (argc == 3 && std::isalpha(argv[1][0]) != 0) {
    felix::bench::RunContender(argv[1], static_cast<std::uint16_t>(std::atoi(argv[2])));
    return 0;
  }
  if (argc != 3) {
    std::fprintf(stderr, "usage: etcd_bench ENDPOINTS POLICIES\n");
    return 2;
  }
  felix::bench::RunAll(argv[0], std::atoi(argv[1]), std::atoi(argv[2]));
  return 0;
}
