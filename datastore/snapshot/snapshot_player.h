// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "datastore/resource_table.h"
#include "datastore/snapshot/endpoint_shelf.h"
#include "datastore/snapshot/event_sink.h"
#include "datastore/snapshot/snapshot_reader.h"

namespace felix::datastore {

// Makes of the events of several inputs the changes of one datastore. Keys of etcd are the same
// ones in all inputs; an object of a file hides one of an input that came before.
class SnapshotPlayer final : public EventSink {
 public:
  // `alone`: there is only one input, so that its keys are not hidden by another's objects.
  SnapshotPlayer(const SnapshotOptions& options, const OnSnapshotStep& on_step, bool alone);

  SnapshotFacts Finish();

  void BeginInput(const std::string& path, std::string_view format,
                  std::string_view packing) override;
  // Errors: what the input was asked for is not in it, or it is damaged.
  absl::Status EndInput() override;
  bool BeginStep(const Moment& moment) override;
  void OnValue(std::string_view key, std::string_view value) override;
  void OnRemoval(std::string_view key) override;
  void OnObjects(const std::string& file, std::vector<Decoded> objects) override;
  void OnInterface(const std::string& name,
                   std::optional<std::vector<model::IpAddress>> addresses) override;
  void OnCommit(const CommitTimes& times) override { facts_.commits.push_back(times); }
  bool OnDamage(Position position, std::string_view reason) override;

 private:
  [[nodiscard]] bool IsWanted(const Moment& moment) const;
  void Deliver();
  // From now on the table decides on endpoints too.
  void ClearShelf();
  // The table lets the smallest name win.
  [[nodiscard]] std::string FileId(std::size_t input, std::string_view name) const;

  const SnapshotOptions& options_;
  const OnSnapshotStep& on_step_;
  ResourceTable table_;
  EndpointShelf shelf_;
  bool use_shelf_;
  std::vector<model::Update> extra_;  // what the table does not know of
  SnapshotFacts facts_;
  std::size_t etcd_input_ = 0;  // the first that holds keys; 0: none does
  bool step_is_open_ = false;
  bool any_step_ = false;
  Moment moment_;
  absl::Status failure_;
};

}  // namespace felix::datastore
