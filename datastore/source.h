// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"

#include "model/update.h"

namespace felix::datastore {

// Why an object of the datastore, or a whole file of it, is not used as it stands. Everything a
// person needs to find and mend it.
struct Refusal {
  std::string object;  // "NetworkPolicy prod/db", or empty where not even that could be read
  std::string origin;  // file:line:column, or the key in a datastore
  std::string field;   // spec.ingress[0].source.nets[1]; empty if it is the object as a whole
  std::string reason;  // lower case, no full stop

  [[nodiscard]] std::string ToString() const;  // one line: origin: object: field: reason
  bool operator==(const Refusal&) const = default;
};

// Hears a Source. All calls come from the source's one thread, none after Source::Stop returned.
class Sink {
 public:
  virtual ~Sink() = default;
  // One atomic change of the datastore. At most one update per key.
  virtual void OnUpdates(std::vector<model::Update> updates) = 0;
  // What was delivered so far is a complete state. Said once per successful listing.
  virtual void OnInSync() = 0;
  // The source cannot be read for now; what was delivered stays in force.
  virtual void OnLost(const absl::Status& reason) = 0;
  // Something is refused (again with another reason), or no longer refused. `id` names it
  // uniquely within the source.
  virtual void OnRefusal(const std::string& id, std::optional<Refusal> refusal) = 0;
};

// Where updates come from: a port. Values it delivers are validated and converted to the model;
// whatever is not valid is absent (value none) and refused by name.
class Source {
 public:
  virtual ~Source() = default;
  // Begins to read and to follow changes, on a thread of the source's own.
  // Errors: kInvalidArgument if the address of the source makes no sense.
  virtual absl::Status Start(Sink& sink) = 0;
  // Reads everything anew as if it had just been started (SIGHUP).
  virtual void Resync() = 0;
  // Ends the thread. Idempotent.
  virtual void Stop() = 0;
  // How many objects there are of kinds that have no part in policy, by kind. From any thread.
  [[nodiscard]] virtual absl::btree_map<std::string, std::size_t> IgnoredKinds() const = 0;
};

}  // namespace felix::datastore
