// SPDX-License-Identifier: Apache-2.0
#include "felix/status_reporter.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>
#include <variant>

#include "compiler/names.h"
#include "compiler/options.h"

namespace felix {
namespace {

using datastore::EndpointStatus;
using datastore::StatusReport;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

StatusReport SettingsOf(const Config& config) {
  StatusReport report;
  report.host = config.compiler.hostname;
  report.region = config.openstack_region;
  report.host_interval = duration_cast<milliseconds>(config.reporting_interval);
  report.host_lifetime =
      std::max(duration_cast<std::chrono::seconds>(config.reporting_ttl), std::chrono::seconds(1));
  report.tells_endpoints = config.endpoint_reporting;
  report.endpoint_interval =
      std::max(duration_cast<milliseconds>(config.endpoint_reporting_delay), milliseconds(1));
  return report;
}

bool IsClosed(const ApplyReport& report, const std::string& interface_name) {
  std::array<std::string, 4> names;
  std::size_t count = 0;
  for (const auto direction : {compiler::Direction::kIngress, compiler::Direction::kEgress}) {
    names.at(count++) = compiler::EndpointChainName(interface_name, direction);
    names.at(count++) = compiler::HostChainName(interface_name, direction);
  }
  return std::any_of(report.closed.begin(), report.closed.end(),
                     [&](const ApplyReport::ClosedChain& closed) {
                       return std::find(names.begin(), names.end(), closed.chain) != names.end();
                     });
}

}  // namespace

bool IsInterfaceUp(const std::string& name) {
  ifreq request = {};
  if (name.empty() || name.size() >= sizeof request.ifr_name) return false;
  name.copy(request.ifr_name, name.size());
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const bool is_there = ioctl(fd, SIOCGIFFLAGS, &request) == 0;
  close(fd);
  constexpr int kWanted = IFF_UP | IFF_RUNNING;
  return is_there && (request.ifr_flags & kWanted) == kWanted;
}

StatusReporter::StatusReporter(const Clock& clock, std::unique_ptr<datastore::StatusWriter> writer,
                               IsInterfaceUp is_up)
    : clock_(clock), writer_(std::move(writer)), is_up_(std::move(is_up)) {}

void StatusReporter::Stop() {
  if (writer_) writer_->Stop();
}

void StatusReporter::Hear(std::span<const model::Update> updates, const Config& config) {
  if (!writer_) return;
  for (const model::Update& update : updates) {
    EndpointId id;
    std::string interface_name;
    if (const auto* workload = std::get_if<model::WorkloadEndpointId>(&update.key)) {
      if (workload->host != config.compiler.hostname) continue;
      id = *workload;
      if (update.value) {
        interface_name = std::get<model::WorkloadEndpoint>(*update.value).interface_name;
      }
    } else if (const auto* host = std::get_if<model::HostEndpointId>(&update.key)) {
      if (host->host != config.compiler.hostname) continue;
      id = *host;
      if (update.value) {
        interface_name = std::get<model::HostEndpoint>(*update.value).interface_name;
      }
    } else {
      continue;
    }
    Endpoint& endpoint = endpoints_[std::move(id)];
    if (update.value) endpoint.interface_name = std::move(interface_name);
    endpoint.is_gone = !update.value.has_value();
    endpoint.is_written = false;
  }
}

void StatusReporter::HearApply(const ApplyReport& report, const Config& config) {
  if (!writer_) return;
  has_applied_ = has_applied_ || report.ok();
  for (auto it = endpoints_.begin(); it != endpoints_.end();) {
    Endpoint& endpoint = it->second;
    endpoint.is_written = endpoint.is_written || report.ok();
    endpoint.is_in_error = !endpoint.is_written || IsClosed(report, endpoint.interface_name);
    if (endpoint.is_gone && report.ok()) {
      it = endpoints_.erase(it);
    } else {
      ++it;
    }
  }
  Tell(config);
}

EndpointStatus StatusReporter::StatusOf(const Endpoint& endpoint) const {
  if (endpoint.is_in_error) return EndpointStatus::kError;
  // A host endpoint may stand for all interfaces, or for those with certain addresses.
  if (endpoint.interface_name.empty() || endpoint.interface_name == "*") return EndpointStatus::kUp;
  return is_up_(endpoint.interface_name) ? EndpointStatus::kUp : EndpointStatus::kDown;
}

void StatusReporter::Tell(const Config& config) {
  StatusReport report = SettingsOf(config);
  due_.reset();
  if (report.tells_endpoints) {
    due_ = clock_.Now() + report.endpoint_interval;
    for (const auto& [id, endpoint] : endpoints_) {
      const auto told = told_.endpoints.find(id);
      if (endpoint.is_written || endpoint.is_in_error) {
        report.endpoints.emplace(id, StatusOf(endpoint));
      } else if (told != told_.endpoints.end()) {
        report.endpoints.insert(*told);
      }
    }
  }
  if (!has_applied_ || report == told_) return;
  told_ = report;
  writer_->Report(std::move(report));
}

void StatusReporter::Step(const Config& config) {
  if (due_ && clock_.Now() >= *due_) Tell(config);
}

std::optional<Clock::TimePoint> StatusReporter::NextDue() const {
  return due_;
}

}  // namespace felix
