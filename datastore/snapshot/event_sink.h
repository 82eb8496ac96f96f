// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "datastore/resource_document.h"
#include "datastore/v3_decoder.h"
#include "model/address.h"

namespace felix::datastore {

// A moment in the history of a datastore.
struct Moment {
  std::int64_t revision = 0;       // of etcd; 0: the input knows none
  std::optional<absl::Time> time;  // when it was seen, if the input says so
};

// How long the kernel was waited for, in microseconds.
struct CommitTimes {
  std::uint64_t compile = 0;
  std::uint64_t sets = 0;
  std::uint64_t tables = 0;
  std::uint64_t total = 0;  // from the first change on
};

// Hears what an input holds, in the order of its history: steps, and in each the keys or objects
// that changed. The first step of a snapshot is all that was there.
class EventSink {
 public:
  virtual ~EventSink() = default;
  // What follows is from that input, which turned out to be of that format and packing.
  virtual void BeginInput(const std::string& path, std::string_view format,
                          std::string_view packing) = 0;
  // Errors: what the sink found wrong with it.
  virtual absl::Status EndInput() = 0;
  // What follows belongs to this moment. False: no more is wanted, and the reader ends well.
  virtual bool BeginStep(const Moment& moment) = 0;
  // A key of etcd has this value now.
  virtual void OnValue(std::string_view key, std::string_view value) = 0;
  virtual void OnRemoval(std::string_view key) = 0;
  // The file defines these objects now and no others.
  virtual void OnObjects(const std::string& file, std::vector<Decoded> objects) = 0;
  // An interface of the host that recorded it has these addresses; none: it is gone.
  virtual void OnInterface(const std::string& /*name*/,
                           std::optional<std::vector<model::IpAddress>> /*addresses*/) {}
  virtual void OnCommit(const CommitTimes& /*times*/) {}
  // Something cannot be read. False: it is not to be passed over, and the reader ends.
  virtual bool OnDamage(Position position, std::string_view reason) = 0;
};

}  // namespace felix::datastore
