// SPDX-License-Identifier: Apache-2.0
#include "iptables/chain_edits.h"

#include <cstddef>
#include <string_view>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "fmt/format.h"

#include "iptables/blob_entry.h"
#include "model/base/status_macros.h"

namespace felix::iptables {
namespace {

absl::Status Impossible(std::string_view act, const std::string& chain) {
  return absl::InvalidArgumentError(fmt::format("{} chain {}", act, chain));
}

class Recorder {
 public:
  explicit Recorder(const TableBlob& blob) : blob_(blob), layout_(LayoutOf(blob.family)) {}

  absl::StatusOr<ChainEdits> Run(const Transaction& transaction) {
    for (const Operation& operation : transaction.operations) {
      FELIX_RETURN_IF_ERROR(std::visit([&](const auto& op) { return Execute(op); }, operation));
    }
    return std::move(edits_);
  }

 private:
  // Null if there is no such chain.
  ChainEdit* Of(const std::string& name) {
    // Operations on one chain follow one another.
    if (latest_ == nullptr || name != latest_name_) {
      auto it = edits_.find(name);
      if (it == edits_.end()) {
        const BlobChain* before = blob_.Find(name);
        if (before == nullptr) return nullptr;
        it = edits_.emplace(name, ChainEdit{.before = before, .slots = SlotsOf(*before)}).first;
      }
      latest_ = &it->second;
      latest_name_ = name;
    }
    return latest_->is_deleted ? nullptr : latest_;
  }

  [[nodiscard]] std::vector<Slot> SlotsOf(const BlobChain& chain) const {
    std::vector<Slot> slots;
    slots.reserve(chain.rules);
    std::uint32_t number = chain.first_entry + (chain.is_builtin ? 0 : 1);
    for (std::uint32_t offset = chain.start; offset != chain.foot;) {
      const std::uint32_t size = EntryView(blob_.entries().data() + offset, layout_).size();
      slots.push_back({.offset = offset, .size = size, .number = number++});
      offset += size;
    }
    return slots;
  }

  absl::Status Execute(const CreateChain& op) {
    if (Of(op.chain) != nullptr || op.chain.size() >= XT_FUNCTION_MAXNAMELEN) {
      return Impossible("creating", op.chain);
    }
    latest_ = nullptr;  // the map moves its values
    edits_[op.chain].is_deleted = false;
    return absl::OkStatus();
  }
  absl::Status Execute(const InsertRule& op) {
    ChainEdit* chain = Of(op.chain);
    if (chain == nullptr || op.position > chain->slots.size()) {
      return Impossible("inserting a rule into", op.chain);
    }
    chain->slots.insert(chain->slots.begin() + static_cast<std::ptrdiff_t>(op.position),
                        {.rule = &op.rule});
    return absl::OkStatus();
  }
  absl::Status Execute(const ReplaceRule& op) {
    ChainEdit* chain = Of(op.chain);
    if (chain == nullptr || op.position >= chain->slots.size()) {
      return Impossible("replacing a rule of", op.chain);
    }
    chain->slots[op.position] = {.rule = &op.rule};
    return absl::OkStatus();
  }
  absl::Status Execute(const DeleteRule& op) {
    ChainEdit* chain = Of(op.chain);
    if (chain == nullptr || op.position >= chain->slots.size()) {
      return Impossible("deleting a rule of", op.chain);
    }
    chain->slots.erase(chain->slots.begin() + static_cast<std::ptrdiff_t>(op.position));
    return absl::OkStatus();
  }
  absl::Status Execute(const FlushChain& op) {
    ChainEdit* chain = Of(op.chain);
    if (chain == nullptr) return Impossible("flushing", op.chain);
    chain->slots.clear();
    return absl::OkStatus();
  }
  absl::Status Execute(const DeleteChain& op) {
    ChainEdit* chain = Of(op.chain);
    if (chain == nullptr || !chain->slots.empty() ||
        (chain->before != nullptr && chain->before->is_builtin)) {
      return Impossible("deleting", op.chain);
    }
    chain->is_deleted = true;
    return absl::OkStatus();
  }

  const TableBlob& blob_;
  EntryLayout layout_;
  ChainEdits edits_;
  ChainEdit* latest_ = nullptr;
  std::string latest_name_;
};

}  // namespace

absl::StatusOr<ChainEdits> EditsOf(const TableBlob& blob, const Transaction& transaction) {
  return Recorder(blob).Run(transaction);
}

}  // namespace felix::iptables
