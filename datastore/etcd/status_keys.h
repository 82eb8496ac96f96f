// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "datastore/status_writer.h"

namespace felix::datastore {

// Where Calico's readers of status look in etcd, and what they read there. Slashes and percent
// signs within a part of a key are escaped, those of the host's name are not.

[[nodiscard]] std::string HostStatusKey(const StatusReport& report);         // expires
[[nodiscard]] std::string LastHostStatusKey(const StatusReport& report);     // stays
[[nodiscard]] std::string WorkloadStatusPrefix(const StatusReport& report);  // of this host
[[nodiscard]] std::string HostEndpointStatusPrefix(const StatusReport& report);
[[nodiscard]] std::string EndpointStatusKey(const StatusReport& report,
                                            const StatusReport::EndpointId& id);

// {"time":"2024-05-01T10:00:00Z","uptime":12.5,"first_update":true}
[[nodiscard]] std::string HostStatusText(std::chrono::system_clock::time_point now,
                                         std::chrono::milliseconds uptime, bool is_first);
[[nodiscard]] std::string EndpointStatusText(EndpointStatus status);  // {"status":"up"}

}  // namespace felix::datastore
