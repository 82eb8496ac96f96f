// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"

#include "datastore/etcd/gateway_messages.h"

namespace felix::datastore {

// What is known of an etcd store: which keys there are in the watched range, when each was changed
// last, and up to which revision that is all there is. Finds out whether a server that is asked to
// go on from there has the same past: after a backup was restored, etcd counts on from an old
// revision, and may have gone past ours before we ask. So a watch begins with the last change that
// is known, the witness, and the server has to tell it as we know it. Pure bookkeeping.
class KnownHistory {
 public:
  // All up to it is known. 0: everything is to be listed.
  [[nodiscard]] std::int64_t revision() const { return revision_; }
  [[nodiscard]] bool Contains(std::string_view key) const;
  void ListAnew() { revision_ = 0; }

  // A server says this of itself; if its history cannot be ours, ours no longer counts.
  void Meet(const RangeResponse& server);
  // The next page of a listing in key order; returns the positions of values that are news.
  std::vector<std::size_t> TakePage(const std::vector<KeyValue>& page);
  // The listing is complete; returns the keys that are gone.
  std::vector<std::string> EndListing(const RangeResponse& listed);
  // A listing begins, or broke off: nothing is taken for gone on its word.
  void BeginListing();

  // Where the next watch is to start. Not later than after revision().
  std::int64_t BeginWatch();
  // The server no longer has that revision. The next one may do without the witness.
  void NoteCompaction();
  // Takes a message of the watch; returns the positions of its events that are news. If what it
  // tells contradicts what is known, that no longer counts: revision() is 0.
  std::vector<std::size_t> TakeMessage(const WatchMessage& message);
  // The watch is silent for so long that the witness would have come.
  void NoteSilence();

 private:
  struct Witness {
    std::string key;
    std::int64_t revision = 0;  // 0: there is none
    bool is_delete = false;
    std::size_t value_hash = 0;
  };

  void Disown();
  bool Learn(const KeyValue& value);
  void SetWitness(const KeyValue& value, bool is_delete);
  [[nodiscard]] bool Contradicts(const WatchMessage& message) const;

  absl::btree_map<std::string, std::int64_t> revisions_;  // of each key, when it was changed last
  std::int64_t revision_ = 0;
  std::uint64_t cluster_id_ = 0;
  Witness witness_;
  bool uses_witness_ = true;
  bool awaits_witness_ = false;
  std::string listed_to_;  // of a listing: the last key so far
  std::vector<std::string> gone_;
};

}  // namespace felix::datastore
