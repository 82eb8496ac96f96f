// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "ipset/kernel_sets.h"

namespace felix::testing {

// The kernel's sets in memory, for tests. Refuses what the kernel refuses: names over 31 bytes, a
// set created twice, /0 in a network set, more members than fit, a swap of unequal types, the
// destruction of a set that something names. A step is one member added or deleted, or one
// operation of another kind; a test can fail the n-th and look at the state after each.
class FakeKernelSets final : public ipset::KernelSets {
 public:
  absl::StatusOr<std::vector<std::string>> ListNames() override;
  absl::StatusOr<std::optional<ipset::SetContent>> Read(const std::string& name) override;
  absl::Status Execute(std::span<const ipset::Operation> operations) override;

  // What others may do behind our back.
  void Put(const ipset::SetContent& content);
  void Vanish(const std::string& name) { sets_.erase(name); }
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
  void FailNextList(absl::Status status) { list_fault_ = std::move(status); }

  // Called after every step that succeeded.
  void OnStep(std::function<void()> observer) { on_step_ = std::move(observer); }

  [[nodiscard]] bool Exists(const std::string& name) const { return sets_.contains(name); }
  // Members of a set that exists.
  [[nodiscard]] const std::set<ir::SetMember>& Members(const std::string& name) const {
    return sets_.at(name).members;
  }
  [[nodiscard]] std::vector<std::string> Names() const;
  [[nodiscard]] std::size_t steps() const { return steps_; }
  [[nodiscard]] std::size_t reads() const { return reads_; }

 private:
  struct Set {
    ipset::SetHeader header;
    std::set<ir::SetMember> members;
    std::size_t strange_members = 0;
  };

  absl::Status Do(const ipset::CreateSet& create);
  absl::Status Do(const ipset::AddMembers& add);
  absl::Status Do(const ipset::DeleteMembers& del);
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

  [[nodiscard]] std::size_t executes() const { return executes_; }

 private:
  ipset::KernelSets& target_;
  std::size_t executes_ = 0;
};

}  // namespace felix::testing
