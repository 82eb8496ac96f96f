// SPDX-License-Identifier: Apache-2.0
#include "datastore/etcd/status_keys.h"

#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "fmt/format.h"

#include "model/base/strings.h"

namespace felix::datastore {
namespace {

std::string Escape(std::string_view part) {
  return absl::StrReplaceAll(ToAbsl(part), {{"%", "%25"}, {"/", "%2f"}});
}

std::string HostPrefix(const StatusReport& report) {
  const std::string region = report.region.empty() ? "no-region" : "region-" + report.region;
  return fmt::format("/calico/felix/v2/{}/host/{}/", region, report.host);
}

}  // namespace

std::string HostStatusKey(const StatusReport& report) {
  return HostPrefix(report) + "status";
}

std::string LastHostStatusKey(const StatusReport& report) {
  return HostPrefix(report) + "last_reported_status";
}

std::string WorkloadStatusPrefix(const StatusReport& report) {
  return HostPrefix(report) + "workload/";
}

std::string HostEndpointStatusPrefix(const StatusReport& report) {
  return fmt::format("/calico/felix/v1/host/{}/endpoint/", report.host);
}

std::string EndpointStatusKey(const StatusReport& report, const StatusReport::EndpointId& id) {
  if (const auto* workload = std::get_if<model::WorkloadEndpointId>(&id)) {
    return fmt::format("{}{}/{}/endpoint/{}", WorkloadStatusPrefix(report),
                       Escape(workload->orchestrator), Escape(workload->workload),
                       Escape(workload->endpoint));
  }
  return HostEndpointStatusPrefix(report) + Escape(std::get<model::HostEndpointId>(id).name);
}

std::string HostStatusText(std::chrono::system_clock::time_point now,
                           std::chrono::milliseconds uptime, bool is_first) {
  const std::string time =
      absl::FormatTime("%Y-%m-%d%ET%H:%M:%SZ", absl::FromChrono(now), absl::UTCTimeZone());
  return fmt::format(R"({{"time":"{}","uptime":{:.3f},"first_update":{}}})", time,
                     std::chrono::duration<double>(uptime).count(), is_first);
}

std::string EndpointStatusText(EndpointStatus status) {
  switch (status) {
    case EndpointStatus::kUp:
      return R"({"status":"up"})";
    case EndpointStatus::kDown:
      return R"({"status":"down"})";
    case EndpointStatus::kError:
      break;
  }
  return R"({"status":"error"})";
}

}  // namespace felix::datastore
