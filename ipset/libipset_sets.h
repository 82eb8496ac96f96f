// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "ipset/kernel_sets.h"
#include "ipset/set_reader.h"

namespace felix::ipset {

// The sets of the namespace in which Open was called. Writes go through one libipset session that
// stays open; its messages are at most a page long (some 60 members), so that no writer holds the
// kernel's ip_set lock for long. Reads go through SetReader.
//
// libipset keeps tables of types and sets in static memory without a lock: within one process only
// one thread may use objects of this class.
class LibipsetSets final : public KernelSets {
 public:
  // Errors: kFailedPrecondition without ip_set in the kernel, kPermissionDenied without
  // CAP_NET_ADMIN, kUnavailable.
  static absl::StatusOr<std::unique_ptr<LibipsetSets>> Open();
  ~LibipsetSets() override;
  LibipsetSets(const LibipsetSets&) = delete;
  LibipsetSets& operator=(const LibipsetSets&) = delete;

  absl::StatusOr<std::vector<std::string>> ListNames() override;
  absl::StatusOr<std::optional<SetContent>> Read(const std::string& name) override;
  absl::Status Execute(std::span<const Operation> operations) override;

 private:
  class Session;

  LibipsetSets(std::unique_ptr<SetReader> reader, std::unique_ptr<Session> session);

  std::unique_ptr<SetReader> reader_;
  std::unique_ptr<Session> session_;
};

}  // namespace felix::ipset
