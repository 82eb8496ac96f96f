// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"

#include "compiler/ir/mark_map.h"
#include "ipset/kernel_sets.h"
#include "model/address.h"

namespace felix::ipset {

// One mark map: what it should hold, what the kernel is known to hold under its name, and the
// operations that lead from here to there. Makes no kernel call; its owner reports what it read and
// what it carried out. Keeps the desired values once, and of the kernel's only the difference.
class TrackedMap {
 public:
  enum class Knowledge : std::uint8_t {
    kUnknown,    // must be read before anything else
    kMissing,    // there is no such set
    kOtherType,  // of another type or family; the kernel will not swap it with one of ours
    kUnfit,      // right type; other parameters, or members that we cannot name
    kHeld,       // right parameters; the members may differ
  };

  TrackedMap(model::IpFamily family, std::string name, std::uint32_t max_members)
      : family_(family), name_(std::move(name)), max_members_(max_members) {}

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] Knowledge knowledge() const { return knowledge_; }
  // Members in the kernel, as far as known.
  [[nodiscard]] std::size_t size() const { return size_; }

  void Desire(const ir::MarkMap& map);
  void Desire(const ir::MarkChange& change);

  void Forget();
  void NoteMissing();
  void NoteContent(const SetContent& content);
  // What is amiss with a content that should be what was known so far; empty if nothing is.
  [[nodiscard]] std::string Damage(const SetContent& content) const;
  // Makes the next leaving replace a set whose hash cannot grow any more.
  void Rebuild();

  // Whether something must go, or a set must come to be, before rules are written.
  [[nodiscard]] bool leaves() const;
  // Whether members must come, or take another mark, after rules were written.
  [[nodiscard]] bool arrives() const { return arriving() != 0; }
  [[nodiscard]] std::size_t arriving() const {
    return knowledge_ != Knowledge::kHeld || blank_ ? desired_.size() : arriving_.size();
  }

  // The first half of the way. `temporary` must be the name of no set.
  [[nodiscard]] std::vector<Operation> Leave(const std::string& temporary) const;
  void ConfirmLeaving();
  // The members of the second half. Those with counters are not in the kernel yet.
  [[nodiscard]] std::vector<InterfaceMember> Arrive() const;
  void ConfirmArriving();
  void ConfirmArrival(const InterfaceMember& member);

  // True if the map should hold an address there.
  [[nodiscard]] bool Wants(const InterfaceMember& member) const;
  // Which address is held by the most interfaces, and by how many.
  [[nodiscard]] std::pair<model::IpAddress, std::size_t> MostShared() const;
  // True if a set that is said to be full would do in another hash: it has fewer members than it
  // may, and none of its addresses is one too many for a bucket.
  [[nodiscard]] bool HasOutgrownItsHash() const;

 private:
  struct Marks {
    std::uint32_t mark = 0;
    std::uint32_t mask = 0;
  };
  // A member to write: the mark that it has in the kernel if it is there, else the counters that it
  // starts from.
  struct Arrival {
    std::optional<std::uint32_t> mark;
    MemberCounters counters;
  };

  [[nodiscard]] std::optional<Marks> InKernel(const ir::LocalAddress& at) const;
  void Settle(const ir::LocalAddress& at, const std::optional<Marks>& in_kernel,
              const MemberCounters& counters = {});
  [[nodiscard]] bool IsFit(const SetContent& content) const;
  void NoteMembers(const std::vector<InterfaceMember>& members);
  [[nodiscard]] std::vector<InterfaceMember> Survivors() const;
  [[nodiscard]] InterfaceMember Member(const ir::LocalAddress& at, std::uint32_t mark) const;
  [[nodiscard]] Operation Create(const std::string& name) const;
  void Reset(Knowledge knowledge);

  model::IpFamily family_;
  std::string name_;
  std::uint32_t max_members_;
  std::uint32_t mask_ = 0;
  absl::btree_map<ir::LocalAddress, std::uint32_t> desired_;

  Knowledge knowledge_ = Knowledge::kUnknown;
  bool outgrown_ = false;  // the next content is unfit, whatever it is
  std::size_t size_ = 0;
  std::vector<InterfaceMember> content_;  // of kUnfit: what may go over into the successor
  // Of kHeld. A blank set holds nothing, so that everything arrives; else the difference.
  bool blank_ = false;
  absl::btree_map<ir::LocalAddress, Marks> leaving_;  // what the kernel has of it
  std::vector<InterfaceMember> strangers_;            // leaving too: what is no address of a host
  absl::btree_map<ir::LocalAddress, Arrival> arriving_;
};

}  // namespace felix::ipset
