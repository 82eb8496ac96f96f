// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "absl/container/btree_map.h"

#include "datastore/status_writer.h"
#include "felix/apply_report.h"
#include "felix/clock.h"
#include "felix/config.h"
#include "model/update.h"

namespace felix {

// Works out how this host's endpoints fare, and hands it on when it changed. An endpoint is up or
// down, as its interface is, once the kernel holds all that was heard of it; in error while that
// cannot be written, or while its chains are closed for what they cannot say. One that is not yet
// written keeps the status that it had, or has none. Nothing is told before the first apply.
class StatusReporter {
 public:
  using IsInterfaceUp = std::function<bool(const std::string& name)>;

  // `writer` may be null: then there is nobody to tell.
  StatusReporter(const Clock& clock, std::unique_ptr<datastore::StatusWriter> writer,
                 IsInterfaceUp is_up);

  // Changes of the datastore, before the engine applies them.
  void Hear(std::span<const model::Update> updates, const Config& config);
  void HearApply(const ApplyReport& report, const Config& config);
  // Looks at the interfaces if it is time to.
  void Step(const Config& config);
  [[nodiscard]] std::optional<Clock::TimePoint> NextDue() const;
  void Stop();

 private:
  using EndpointId = datastore::StatusReport::EndpointId;
  struct Endpoint {
    std::string interface_name;
    bool is_gone = false;     // from the datastore, but not yet from the kernel
    bool is_written = false;  // as it was heard last
    bool is_in_error = false;
  };

  void Tell(const Config& config);
  [[nodiscard]] datastore::EndpointStatus StatusOf(const Endpoint& endpoint) const;

  const Clock& clock_;
  const std::unique_ptr<datastore::StatusWriter> writer_;
  const IsInterfaceUp is_up_;
  absl::btree_map<EndpointId, Endpoint> endpoints_;  // of this host
  bool has_applied_ = false;
  std::optional<Clock::TimePoint> due_;
  datastore::StatusReport told_;
};

// Whether an interface of this network namespace is there, switched on, and has a carrier.
[[nodiscard]] bool IsInterfaceUp(const std::string& name);

}  // namespace felix
