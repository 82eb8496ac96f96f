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
#include "ipset/member_writer.h"
#include "ipset/set_reader.h"

namespace felix::ipset {

// The sets of the namespace in which Open was called. Sets are created, swapped and destroyed
// through one libipset session that stays open; members are written by MemberWriter, and reads go
// through SetReader.
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
  void SetPace(Pace pace) override { pace_ = pace; }
  absl::StatusOr<std::vector<SetHeader>> ListHeaders() override;
  absl::StatusOr<Portion> ReadPortion(const std::string& name) override;
  void EndPortions() override;

 private:
  class Session;

  LibipsetSets(std::unique_ptr<SetReader> reader, std::unique_ptr<MemberWriter> writer,
               std::unique_ptr<Session> session);

  // How many of the first operations one message each is enough for, sent together; two or none.
  [[nodiscard]] std::size_t CountTogether(std::span<const Operation> operations) const;
  absl::Status Do(const CreateSet& create);
  absl::Status Do(const CreateInterfaceSet& create);
  absl::Status Do(const AddMembers& add);
  absl::Status Do(const DeleteMembers& del);
  absl::Status Do(const AddInterfaceMembers& add);
  absl::Status Do(const DeleteInterfaceMembers& del);
  absl::Status Do(const SwapSets& swap);
  absl::Status Do(const DestroySet& destroy);
  // Gives up reading that set in portions.
  void YieldTo(const std::string& name);

  std::unique_ptr<SetReader> reader_;
  std::unique_ptr<SetReader> portions_;  // its own socket, since a reading spans many calls
  std::unique_ptr<MemberWriter> writer_;
  std::unique_ptr<Session> session_;
  Pace pace_ = Pace::kBulk;
};

}  // namespace felix::ipset
