// SPDX-License-Identifier: Apache-2.0
#include "datastore/etcd/etcd_status_writer.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "datastore/etcd/gateway_messages.h"
#include "datastore/etcd/status_keys.h"
#include "model/base/status_macros.h"

namespace felix::datastore {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr EtcdTiming::Duration kWriteLimit{2000};
constexpr int kIntervalsBetweenReads = 180;
constexpr milliseconds kRetry{1000};

EtcdConfig ForWriting(EtcdConfig config) {
  config.timing.connect = config.timing.answer = config.timing.probe = kWriteLimit;
  return config;
}

}  // namespace

EtcdStatusWriter::EtcdStatusWriter(EtcdConfig config) : config_(ForWriting(std::move(config))) {}

EtcdStatusWriter::~EtcdStatusWriter() {
  Stop();
}

void EtcdStatusWriter::Report(StatusReport report) {
  const bool has_something = report.host_interval > milliseconds::zero() || report.tells_endpoints;
  const std::lock_guard lock(mutex_);
  if (stop_ || (!thread_.joinable() && !has_something)) return;
  news_ = std::move(report);
  has_news_ = true;
  wake_.notify_all();
  if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
}

void EtcdStatusWriter::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    if (client_) client_->Interrupt();
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void EtcdStatusWriter::Run() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  Clock::time_point next = Clock::time_point::max();
  while (true) {
    {
      std::unique_lock lock(mutex_);
      const auto is_awake = [this] { return stop_ || has_news_; };
      if (next == Clock::time_point::max()) {
        wake_.wait(lock, is_awake);
      } else {
        wake_.wait_until(lock, next, is_awake);
      }
      if (stop_) return;
      if (std::exchange(has_news_, false)) TakeReport(std::move(news_));
    }
    next = Turn(Clock::now());
  }
}

void EtcdStatusWriter::TakeReport(StatusReport report) {
  // Under another name everything is to be told again.
  if (report.host != report_.host || report.region != report_.region) knows_written_ = false;
  report_ = std::move(report);
  wanted_.clear();
  for (const auto& [id, status] : report_.endpoints) {
    wanted_.emplace(EndpointStatusKey(report_, id), EndpointStatusText(status));
  }
}

EtcdStatusWriter::Clock::time_point EtcdStatusWriter::Turn(Clock::time_point now) {
  Clock::time_point next = Clock::time_point::max();
  if (report_.host_interval > milliseconds::zero()) {
    if (now >= host_due_) WriteHost(now);
    next = std::min(next, host_due_);
  }
  if (!report_.tells_endpoints) return next;
  if (!knows_written_ || now >= read_due_) {
    if (now >= write_due_) ReadWritten(now);
  } else if (now >= write_due_) {
    WriteOneEndpoint(now);
  }
  if (!knows_written_ || NextDifference() != nullptr) next = std::min(next, write_due_);
  return std::min(next, std::max(read_due_, write_due_));
}

void EtcdStatusWriter::WriteHost(Clock::time_point now) {
  const std::string text =
      HostStatusText(std::chrono::system_clock::now(),
                     std::chrono::duration_cast<milliseconds>(now - started_), !told_host_);
  const absl::Status status = Do([&](EtcdClient& client) -> absl::Status {
    FELIX_ASSIGN_OR_RETURN(const std::int64_t lease, client.GrantLease(report_.host_lifetime));
    FELIX_RETURN_IF_ERROR(client.Put(HostStatusKey(report_), text, lease));
    return client.Put(LastHostStatusKey(report_), text, 0);
  });
  told_host_ = told_host_ || status.ok();
  host_due_ =
      now + Spread(status.ok() ? report_.host_interval : std::min(kRetry, report_.host_interval));
}

void EtcdStatusWriter::ReadWritten(Clock::time_point now) {
  absl::btree_map<std::string, std::string> found;
  const absl::Status status = Do([&](EtcdClient& client) -> absl::Status {
    found.clear();
    for (const std::string& prefix :
         {WorkloadStatusPrefix(report_), HostEndpointStatusPrefix(report_)}) {
      FELIX_RETURN_IF_ERROR(client
                                .ReadRange(prefix, PrefixEnd(prefix),
                                           [&](const std::vector<KeyValue>& page) {
                                             for (const KeyValue& value : page)
                                               found[value.key] = value.value;
                                           })
                                .status());
    }
    return absl::OkStatus();
  });
  if (!status.ok()) {
    write_due_ = now + Spread(kRetry);
    return;
  }
  written_ = std::move(found);
  knows_written_ = true;
  read_due_ = now + Spread(kIntervalsBetweenReads * report_.endpoint_interval);
}

const std::string* EtcdStatusWriter::NextDifference() const {
  const std::string* first = nullptr;
  const auto consider = [&](const std::string& key) {
    // Those after the last one come before the others.
    if (first == nullptr ||
        std::pair(key <= last_key_, key) < std::pair(*first <= last_key_, *first)) {
      first = &key;
    }
  };
  for (const auto& [key, text] : wanted_) {
    const auto it = written_.find(key);
    if (it == written_.end() || it->second != text) consider(key);
  }
  for (const auto& [key, text] : written_) {
    if (!wanted_.contains(key)) consider(key);
  }
  return first;
}

void EtcdStatusWriter::WriteOneEndpoint(Clock::time_point now) {
  const std::string* difference = NextDifference();
  if (difference == nullptr) return;
  const std::string key = *difference;
  const auto wanted = wanted_.find(key);
  const absl::Status status = Do([&](EtcdClient& client) {
    return wanted == wanted_.end() ? client.Delete(key) : client.Put(key, wanted->second, 0);
  });
  write_due_ = now + Spread(report_.endpoint_interval);
  if (!status.ok()) return;
  last_key_ = key;
  if (wanted == wanted_.end()) {
    written_.erase(key);
  } else {
    written_[key] = wanted->second;
  }
}

absl::Status EtcdStatusWriter::Connect() {
  const auto client = std::make_shared<EtcdClient>(config_);
  {
    const std::lock_guard lock(mutex_);
    if (stop_) return absl::CancelledError("write the status: stopped");
    client_ = client;
  }
  return client->Connect(config_.endpoints[endpoint_++ % config_.endpoints.size()]).status();
}

absl::Status EtcdStatusWriter::Do(const Act& act) {
  absl::Status status = absl::UnavailableError("not connected");
  if (client_) status = act(*client_);
  if (status.ok()) return status;
  // The connection may have ended since it was used last.
  status = Connect();
  if (status.ok()) status = act(*client_);
  if (status.ok()) return status;
  const std::lock_guard lock(mutex_);
  client_.reset();
  return status;
}

EtcdStatusWriter::Clock::duration EtcdStatusWriter::Spread(milliseconds duration) {
  const std::int64_t tenth = duration.count() / 10;
  return duration +
         milliseconds(std::uniform_int_distribution<std::int64_t>(-tenth, tenth)(random_));
}

}  // namespace felix::datastore
