// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "ipset/kernel_sets.h"

namespace felix::testing {

// The kernel's sets in memory, for tests. Refuses what the kernel refuses: names over 31 bytes, a
// set created twice, more than kMaxSets sets, /0 in a network set, more members than fit, a swap of
// unequal types, the destruction of a set that something names, a type that it lacks, marks and
// counters for a set without, too many interfaces of one network. A step is one member added or
// deleted, or one operation of another kind; a test can fail the n-th and look at the state after
// each. A member with an interface that comes without counters finds those of the one that was
// deleted last, as it may in the kernel.
class FakeKernelSets final : public ipset::KernelSets {
 public:
  // The kernel numbers sets with 16 bits and grows the table of sets by 64.
  static constexpr std::size_t kMaxSets = 65472;

  absl::StatusOr<std::vector<std::string>> ListNames() override;
  absl::StatusOr<std::optional<ipset::SetContent>> Read(const std::string& name) override;
  absl::Status Execute(std::span<const ipset::Operation> operations) override;
  void SetPace(ipset::Pace pace) override { pace_ = pace; }
  absl::StatusOr<std::vector<ipset::SetHeader>> ListHeaders() override;
  absl::StatusOr<ipset::Portion> ReadPortion(const std::string& name) override;
  void EndPortions() override { portions_of_.clear(); }

  // What others may do behind our back.
  void Put(const ipset::SetContent& content);
  void Vanish(const std::string& name) { sets_.erase(name); }
  // As if a packet had found the member.
  void Count(const std::string& name, const model::Cidr& net, const std::string& interface,
             std::uint64_t bytes);
  void Reference(const std::string& name) { ++references_[name]; }
  void Release(const std::string& name) { --references_[name]; }

  // Faults. Steps count from now, the next is 1; each fault fires once.
  void FailStep(std::size_t nth, absl::Status status) {
    failing_step_ = steps_ + nth;
    step_fault_ = std::move(status);
  }
  void FailReads(std::size_t times, absl::Status status) {
    failing_reads_ = times;
    read_fault_ = std::move(status);
  }
  // As if the kernel had been built without it: "hash:net", …
  void LackType(const std::string& type) { lacking_types_.insert(type); }
  void FailNextList(absl::Status status) { list_fault_ = std::move(status); }

  // As if the hash of a set with interfaces could not grow any more: it takes no new members.
  void Poison(const std::string& name) { sets_.at(name).poisoned = true; }
  // Whoever names a set of the name cannot write to it at all.
  void BreakSet(const std::string& name) { broken_ = name; }
  // Called after every step that succeeded.
  void OnStep(std::function<void()> observer) { on_step_ = std::move(observer); }

  [[nodiscard]] bool Exists(const std::string& name) const { return sets_.contains(name); }
  // Members of a set that exists.
  [[nodiscard]] const std::set<ir::SetMember>& Members(const std::string& name) const {
    return sets_.at(name).members;
  }
  // Members with interfaces of a set that exists, in order.
  [[nodiscard]] std::vector<ipset::InterfaceMember> InterfaceMembers(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> Names() const;
  [[nodiscard]] std::size_t steps() const { return steps_; }
  [[nodiscard]] std::size_t reads() const { return reads_; }
  [[nodiscard]] std::size_t portions() const { return portions_; }
  [[nodiscard]] ipset::Pace pace() const { return pace_; }

 private:
  using InterfaceKey = std::pair<model::Cidr, std::string>;
  struct Marks {
    std::uint32_t mark = 0;
    std::uint32_t mask = 0;
    ipset::MemberCounters counters;
  };
  struct Set {
    ipset::SetHeader header;
    std::set<ir::SetMember> members;
    std::size_t strange_members = 0;
    std::map<InterfaceKey, Marks> interface_members;
    bool poisoned = false;
  };

  absl::Status Do(const ipset::CreateSet& create);
  absl::Status Do(const ipset::AddMembers& add);
  absl::Status Do(const ipset::DeleteMembers& del);
  absl::Status Do(const ipset::CreateInterfaceSet& create);
  absl::Status Do(const ipset::AddInterfaceMembers& add);
  absl::Status Do(const ipset::DeleteInterfaceMembers& del);
  absl::Status Create(ipset::SetHeader header);
  // The set, if it is there and of that type and family.
  absl::StatusOr<Set*> Find(const std::string& name, std::string_view type, model::IpFamily family);
  [[nodiscard]] ipset::SetHeader HeaderOf(const Set& set) const;
  absl::Status Do(const ipset::SwapSets& swap);
  absl::Status Do(const ipset::DestroySet& destroy);
  // Counts a step; fails if it is the one to fail.
  absl::Status BeginStep();
  void EndStep() const;

  std::map<std::string, Set> sets_;
  std::map<std::string, int> references_;
  std::size_t steps_ = 0;
  std::size_t reads_ = 0;
  std::size_t failing_step_ = 0;
  std::size_t failing_reads_ = 0;
  absl::Status step_fault_;
  absl::Status read_fault_;
  absl::Status list_fault_;
  std::function<void()> on_step_;
  std::set<std::string> lacking_types_;
  std::string broken_;
  ipset::Pace pace_ = ipset::Pace::kBulk;
  ipset::MemberCounters left_over_;  // what a deleted member counted
  std::string portions_of_;
  std::optional<ir::SetMember> portions_up_to_;
  std::size_t portions_ = 0;
};

// Passes every call on and counts the writing ones.
class CountingKernelSets final : public ipset::KernelSets {
 public:
  explicit CountingKernelSets(ipset::KernelSets& target) : target_(target) {}

  absl::StatusOr<std::vector<std::string>> ListNames() override { return target_.ListNames(); }
  absl::StatusOr<std::optional<ipset::SetContent>> Read(const std::string& name) override {
    return target_.Read(name);
  }
  absl::Status Execute(std::span<const ipset::Operation> operations) override {
    ++executes_;
    return target_.Execute(operations);
  }
  void SetPace(ipset::Pace pace) override { target_.SetPace(pace); }
  absl::StatusOr<std::vector<ipset::SetHeader>> ListHeaders() override {
    return target_.ListHeaders();
  }
  absl::StatusOr<ipset::Portion> ReadPortion(const std::string& name) override {
    return target_.ReadPortion(name);
  }
  void EndPortions() override { target_.EndPortions(); }

  [[nodiscard]] std::size_t executes() const { return executes_; }

 private:
  ipset::KernelSets& target_;
  std::size_t executes_ = 0;
};

}  // namespace felix::testing
