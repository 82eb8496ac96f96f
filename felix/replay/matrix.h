// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "felix/replay/answer.h"
#include "felix/replay/ends.h"
#include "felix/replay/judge.h"

namespace felix::replay {

// Which of two workloads may reach each other with one kind of flow.
enum class Reach : std::uint8_t { kNo, kYes, kNone };  // kNone: no addresses of one family

// Who reaches whom. Rows are senders, columns receivers. Addresses that no rule tells apart are
// judged once, so that thousands of workloads with some dozens of roles take no longer than those.
class Matrix {
 public:
  // Between these workloads, with the first family in which a pair has addresses.
  Matrix(const Judge& judge, std::vector<const Workload*> workloads, const Flow& flow);

  [[nodiscard]] const std::vector<const Workload*>& workloads() const { return workloads_; }
  [[nodiscard]] Reach At(std::size_t from, std::size_t to) const {
    return cells_[from * workloads_.size() + to];
  }
  [[nodiscard]] std::size_t Count(Reach reach) const;

 private:
  void Fill(const Judge& judge, const Flow& flow, model::IpFamily family);

  std::vector<const Workload*> workloads_;
  std::vector<Reach> cells_;
};

// The workloads whose labels match; all of them for an empty text. Errors: the selector does not
// parse, or there are too many for a matrix.
[[nodiscard]] absl::StatusOr<std::vector<const Workload*>> SelectWorkloads(
    const AddressBook& book, const std::string& selector);

[[nodiscard]] absl::StatusOr<Answer> ShowMatrix(const Judge& judge, const std::string& selector,
                                                const FlowRequest& request, Output output);
// Which workloads may reach the destination of the request.
[[nodiscard]] absl::StatusOr<Answer> WhoCan(const Judge& judge, const FlowRequest& request,
                                            Output output);

}  // namespace felix::replay
