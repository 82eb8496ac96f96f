// SPDX-License-Identifier: Apache-2.0
#include "iptables/blob_edit.h"

#include <linux/netfilter.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "fmt/format.h"

#include "iptables/blob_entry.h"
#include "iptables/chain_edits.h"
#include "iptables/entry_bytes.h"
#include "iptables/entry_header.h"
#include "model/base/status_macros.h"

namespace felix::iptables {
namespace {

// Writes the new table.
class Writer {
 public:
  Writer(TableBlob& blob, const ChainEdits& edits, std::string spare)
      : blob_(blob), edits_(edits), layout_(LayoutOf(blob.family)), out_(std::move(spare)) {}

  absl::StatusOr<EditedBlob> Run() {
    Reserve();
    edited_.blob.family = blob_.family;
    edited_.blob.outline = blob_.outline;
    edited_.blob.chains.reserve(blob_.chains.size() + edits_.size());
    moved_.reserve(blob_.chains.size());
    auto next = edits_.begin();
    for (BlobChain& chain : blob_.chains) {
      // New chains of users go where their names belong.
      for (; !chain.is_builtin && next != edits_.end() && next->first < chain.name; ++next) {
        if (next->second.before == nullptr) WriteNew(next->first, next->second);
      }
      const auto edit = edits_.find(chain.name);
      if (edit == edits_.end()) {
        KeepWhole(chain);
      } else {
        WriteEdited(chain, edit->second);
      }
    }
    for (; next != edits_.end(); ++next) {
      if (next->second.before == nullptr) WriteNew(next->first, next->second);
    }
    edited_.blob.end = at_;
    Keep(blob_.end, blob_.outline.bytes, blob_.outline.entries - 1, 1);
    FlushKept();
    FELIX_RETURN_IF_ERROR(FixOldJumps());
    FELIX_RETURN_IF_ERROR(FixNewJumps());
    Finish();
    return std::move(edited_);
  }

 private:
  // A stretch of old bytes that stays.
  struct Stretch {
    std::uint32_t from = 0;
    std::uint32_t to = 0;
    std::uint32_t size = 0;
  };
  struct Moved {
    std::uint32_t from = 0;  // where the chain's first rule was
    std::uint32_t to = 0;
    bool is_gone = false;
  };
  struct NewRule {
    std::uint32_t offset = 0;
    const EncodedRule* rule = nullptr;
  };

  void Reserve() {
    std::size_t size = blob_.buffer.size();
    for (const auto& [name, edit] : edits_) {
      size += 2 * (layout_.header + sizeof(xt_error_target));
      for (const Slot& slot : edit.slots)
        size += slot.rule != nullptr ? slot.rule->bytes.size() : 0;
    }
    if (out_.size() < size) out_.resize(size);
  }
  [[nodiscard]] char* place(std::uint32_t offset) {
    return out_.data() + TableBlob::kRoom + offset;
  }

  void Keep(std::uint32_t begin, std::uint32_t end, std::uint32_t number, std::uint32_t count) {
    if (count == 0) return;
    if (pending_.size != 0 && pending_.from + pending_.size == begin) {
      pending_.size += end - begin;
    } else {
      FlushKept();
      pending_ = {.from = begin, .to = at_, .size = end - begin};
    }
    if (!edited_.kept.empty() && edited_.kept.back().from + edited_.kept.back().count == number &&
        edited_.kept.back().to + edited_.kept.back().count == number_) {
      edited_.kept.back().count += count;
    } else {
      edited_.kept.push_back({.from = number, .to = number_, .count = count});
    }
    at_ += end - begin;
    number_ += count;
  }
  void FlushKept() {
    if (pending_.size == 0) return;
    std::memcpy(place(pending_.to), blob_.entries().data() + pending_.from, pending_.size);
    shifted_ = shifted_ || pending_.from != pending_.to;
    stretches_.push_back(std::exchange(pending_, {}));
  }

  void KeepWhole(BlobChain& chain) {
    BlobChain& moved = edited_.blob.chains.emplace_back(std::move(chain));
    const std::uint32_t shift = at_ - chain.head;
    for (std::uint32_t* offset : {&moved.head, &moved.start, &moved.foot, &moved.end}) {
      *offset += shift;
    }
    moved.first_entry = number_;
    moved_.push_back({.from = chain.start, .to = moved.start});
    Keep(chain.head, chain.end, chain.first_entry, chain.rules + (chain.is_builtin ? 1 : 2));
  }

  void WriteEdited(BlobChain& before, const ChainEdit& edit) {
    if (edit.is_deleted) {
      moved_.push_back({.from = before.start, .is_gone = true});
      shifted_ = true;
      return;
    }
    BlobChain& chain = edited_.blob.chains.emplace_back(std::move(before));
    chain.head = at_;
    chain.first_entry = number_;
    if (!chain.is_builtin) Keep(before.head, before.start, before.first_entry, 1);
    WriteRules(edit.slots, chain);
    Keep(before.foot, before.end, before.first_entry + before.rules + (before.is_builtin ? 0 : 1),
         1);
    chain.end = at_;
    moved_.push_back({.from = before.start, .to = chain.start});
  }

  void WriteNew(const std::string& name, const ChainEdit& edit) {
    if (edit.is_deleted) return;
    BlobChain& chain = edited_.blob.chains.emplace_back();
    chain.name = name;
    chain.head = at_;
    chain.first_entry = number_;
    std::string error_name(sizeof(xt_error_target) - sizeof(xt_entry_target), '\0');
    error_name.replace(0, name.size(), name);
    Write(Bare(kErrorTarget, error_name));
    WriteRules(edit.slots, chain);
    std::string verdict(sizeof(xt_standard_target) - sizeof(xt_entry_target), '\0');
    const std::int32_t give_back = XT_RETURN;
    std::memcpy(verdict.data(), &give_back, sizeof give_back);
    Write(Bare("", verdict));
    chain.end = at_;
  }

  void WriteRules(const std::vector<Slot>& slots, BlobChain& chain) {
    chain.start = at_;
    chain.rules = static_cast<std::uint32_t>(slots.size());
    for (const Slot& slot : slots) {
      if (slot.rule == nullptr) {
        Keep(slot.offset, slot.offset + slot.size, slot.number, 1);
      } else {
        new_rules_.push_back({.offset = at_, .rule = slot.rule});
        Write(slot.rule->bytes);
      }
    }
    chain.foot = at_;
  }

  void Write(std::string_view bytes) {
    FlushKept();
    std::memcpy(place(at_), bytes.data(), bytes.size());
    at_ += static_cast<std::uint32_t>(bytes.size());
    ++number_;
  }

  // An entry that matches everything.
  [[nodiscard]] std::string Bare(std::string_view target, std::string_view data) const {
    std::string entry(layout_.header, '\0');
    AppendExtension(target, 0, data, entry);
    SetEntryOffsets(entry, layout_.header, blob_.family);
    return entry;
  }

  absl::Status FixOldJumps() {
    if (!shifted_) return absl::OkStatus();
    auto latest = moved_.cbegin();
    for (const Stretch& stretch : stretches_) {
      const std::uint32_t shift = stretch.to - stretch.from;
      for (std::uint32_t offset = stretch.to; offset != stretch.to + stretch.size;) {
        const EntryView entry(place(offset), layout_);
        const std::uint32_t size = entry.size();
        if (entry.is_standard() && entry.verdict() >= 0) {
          const auto target = static_cast<std::uint32_t>(entry.verdict());
          std::uint32_t moved_to = target + shift;
          if (target + shift != offset + size) {
            latest = FindMoved(target, latest);
            if (latest == moved_.end() || latest->is_gone) {
              return absl::InvalidArgumentError("a rule jumps to a chain that is to be deleted");
            }
            moved_to = latest->to;
          }
          SetVerdict(offset, entry, static_cast<std::int32_t>(moved_to));
        }
        offset += size;
      }
    }
    return absl::OkStatus();
  }

  // Neighbours in a chain often go to one chain, or to chains that are neighbours.
  [[nodiscard]] std::vector<Moved>::const_iterator FindMoved(
      std::uint32_t from, std::vector<Moved>::const_iterator guess) const {
    if (guess != moved_.end() && guess->from == from) return guess;
    if (guess != moved_.end() && ++guess != moved_.end() && guess->from == from) return guess;
    const auto found = std::lower_bound(
        moved_.begin(), moved_.end(), from,
        [](const Moved& moved, std::uint32_t wanted) { return moved.from < wanted; });
    return found != moved_.end() && found->from == from ? found : moved_.end();
  }

  absl::Status FixNewJumps() {
    for (const auto& [offset, rule] : new_rules_) {
      const EntryView entry(place(offset), layout_);
      std::int32_t verdict = 0;
      if (rule->is_jump) {
        const BlobChain* target = edited_.blob.Find(rule->target);
        if (target == nullptr || target->is_builtin) {
          return absl::InvalidArgumentError(
              fmt::format("a rule jumps to missing chain {}", rule->target));
        }
        verdict = static_cast<std::int32_t>(target->start);
      } else if (rule->target.empty()) {
        verdict = static_cast<std::int32_t>(offset + entry.size());
      } else if (const auto known = VerdictOf(rule->target)) {
        verdict = *known;
      } else {
        continue;
      }
      // Encoded rules bear the name of the verdict or chain, which the kernel must not see.
      std::memset(place(offset) + entry.target_offset() + sizeof(std::uint16_t), 0,
                  XT_EXTENSION_MAXNAMELEN);
      SetVerdict(offset, entry, verdict);
    }
    return absl::OkStatus();
  }

  static std::optional<std::int32_t> VerdictOf(std::string_view name) {
    if (name == "ACCEPT") return -NF_ACCEPT - 1;
    if (name == "DROP") return -NF_DROP - 1;
    if (name == "QUEUE") return -NF_QUEUE - 1;
    if (name == "RETURN") return XT_RETURN;
    return std::nullopt;
  }

  void SetVerdict(std::uint32_t offset, const EntryView& entry, std::int32_t verdict) {
    std::memcpy(place(offset) + entry.verdict_offset(), &verdict, sizeof verdict);
  }

  void Finish() {
    TableOutline& outline = edited_.blob.outline;
    outline.entries = number_;
    outline.bytes = at_;
    for (const BlobChain& chain : edited_.blob.chains) {
      if (!chain.is_builtin) break;
      outline.chain_starts.at(chain.hook) = chain.start;
      outline.chain_ends.at(chain.hook) = chain.foot;
    }
    out_.resize(TableBlob::kRoom + at_);
    edited_.blob.buffer = std::move(out_);
  }

  TableBlob& blob_;  // its chains give away their names
  const ChainEdits& edits_;
  EntryLayout layout_;
  std::string out_;
  EditedBlob edited_;
  std::uint32_t at_ = 0;
  std::uint32_t number_ = 0;
  Stretch pending_;
  std::vector<Stretch> stretches_;
  std::vector<Moved> moved_;
  bool shifted_ = false;
  std::vector<NewRule> new_rules_;
};

}  // namespace

absl::StatusOr<EditedBlob> EditBlob(TableBlob blob, const Transaction& transaction,
                                    std::string spare) {
  FELIX_ASSIGN_OR_RETURN(const ChainEdits edits, EditsOf(blob, transaction));
  FELIX_ASSIGN_OR_RETURN(EditedBlob edited, Writer(blob, edits, std::move(spare)).Run());
  edited.former = std::move(blob.buffer);
  return edited;
}

}  // namespace felix::iptables
