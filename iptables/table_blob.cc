// SPDX-License-Identifier: Apache-2.0
#include "iptables/table_blob.h"

#include <linux/netfilter.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/status/status.h"

#include "iptables/blob_entry.h"
#include "iptables/rule_codec.h"
#include "model/base/status_macros.h"

namespace felix::iptables {
namespace {

constexpr std::array<std::string_view, 5> kHookNames = {"PREROUTING", "INPUT", "FORWARD", "OUTPUT",
                                                        "POSTROUTING"};

absl::Status Strange(std::string_view what) {
  return absl::InvalidArgumentError(std::string("table with ") + std::string(what));
}

class Parser {
 public:
  explicit Parser(TableBlob& blob)
      : blob_(blob), entries_(blob.entries()), layout_(LayoutOf(blob.family)) {}

  absl::Status Run() {
    if (entries_.size() != blob_.outline.bytes) return Strange("another size than it says");
    while (offset_ < entries_.size()) {
      const std::size_t left = entries_.size() - offset_;
      if (left < layout_.header) return Strange("half an entry");
      const EntryView entry(entries_.data() + offset_, layout_);
      if (entry.size() > left || !HasRoomForTarget(entry)) {
        return Strange("an entry of impossible size");
      }
      FELIX_RETURN_IF_ERROR(Visit(entry));
      last_ = offset_;
      offset_ += entry.size();
      ++number_;
    }
    if (number_ != blob_.outline.entries || blob_.end == 0) return Strange("no end");
    return CheckOrder();
  }

 private:
  [[nodiscard]] bool HasRoomForTarget(const EntryView& entry) const {
    const std::size_t at = entry.target_offset();
    if (at < layout_.header || at + sizeof(xt_entry_target) > entry.size()) return false;
    if (entry.is_standard()) return at + sizeof(xt_standard_target) <= entry.size();
    return entry.target_name() != kErrorTarget || at + sizeof(xt_error_target) <= entry.size();
  }

  absl::Status Visit(const EntryView& entry) {
    if (blob_.end != 0) return Strange("entries behind its end");
    if (const std::optional<std::uint32_t> hook = HookAt(offset_)) {
      FELIX_RETURN_IF_ERROR(CloseChain());
      Begin({.name = std::string(kHookNames.at(*hook)), .is_builtin = true, .hook = *hook},
            offset_);
    } else if (entry.target_name() == kErrorTarget) {
      FELIX_RETURN_IF_ERROR(CloseChain());
      if (offset_ + entry.size() == entries_.size()) {
        blob_.end = offset_;
        return absl::OkStatus();
      }
      const char* name = entries_.data() + offset_ + entry.verdict_offset();
      Begin({.name = std::string(name, strnlen(name, XT_FUNCTION_MAXNAMELEN))},
            offset_ + entry.size());
    } else if (!open_) {
      return Strange("rules outside of chains");
    }
    return absl::OkStatus();
  }

  void Begin(BlobChain chain, std::uint32_t start) {
    chain.head = offset_;
    chain.start = start;
    chain.first_entry = number_;
    blob_.chains.push_back(std::move(chain));
    open_ = true;
  }

  absl::Status CloseChain() {
    if (!open_) return absl::OkStatus();
    open_ = false;
    BlobChain& chain = blob_.chains.back();
    const std::uint32_t entries = number_ - chain.first_entry;
    const std::uint32_t others = chain.is_builtin ? 1 : 2;
    if (entries < others) return Strange("a chain without end");
    chain.rules = entries - others;
    chain.foot = last_;
    chain.end = offset_;
    if (chain.is_builtin && chain.foot != blob_.outline.chain_ends.at(chain.hook)) {
      return Strange("a policy within a chain");
    }
    return absl::OkStatus();
  }

  [[nodiscard]] std::optional<std::uint32_t> HookAt(std::uint32_t offset) const {
    for (std::uint32_t hook = 0; hook < kHookNames.size(); ++hook) {
      if ((blob_.outline.hooks & (1U << hook)) != 0 &&
          blob_.outline.chain_starts.at(hook) == offset) {
        return hook;
      }
    }
    return std::nullopt;
  }

  [[nodiscard]] absl::Status CheckOrder() const {
    int builtin = 0;
    for (std::size_t i = 0; i < blob_.chains.size(); ++i) {
      const BlobChain& chain = blob_.chains[i];
      if (chain.is_builtin) ++builtin;
      if (i == 0) continue;
      const BlobChain& before = blob_.chains[i - 1];
      if (!before.is_builtin && (chain.is_builtin || before.name >= chain.name)) {
        return Strange("chains out of order");
      }
    }
    if (builtin != __builtin_popcount(blob_.outline.hooks)) return Strange("a built-in chain less");
    return absl::OkStatus();
  }

  TableBlob& blob_;
  std::string_view entries_;
  EntryLayout layout_;
  std::uint32_t offset_ = 0;
  std::uint32_t last_ = 0;
  std::uint32_t number_ = 0;
  bool open_ = false;
};

std::string_view VerdictName(std::int32_t verdict) {
  switch (verdict) {
    case -NF_DROP - 1:
      return "DROP";
    case -NF_ACCEPT - 1:
      return "ACCEPT";
    case -NF_QUEUE - 1:
      return "QUEUE";
    case XT_RETURN:
      return "RETURN";
    default:
      return {};
  }
}

// The name by which libiptc knows the target.
absl::StatusOr<std::string_view> TargetOf(const TableBlob& blob, std::uint32_t offset,
                                          const EntryView& entry) {
  if (!entry.is_standard()) return entry.target_name();
  const std::int32_t verdict = entry.verdict();
  if (verdict < 0) {
    const std::string_view name = VerdictName(verdict);
    if (name.empty()) return Strange("an unknown verdict");
    return name;
  }
  const auto place = static_cast<std::uint32_t>(verdict);
  if (place == offset + entry.size()) return std::string_view();
  const auto chain = std::lower_bound(
      blob.chains.begin(), blob.chains.end(), place,
      [](const BlobChain& candidate, std::uint32_t wanted) { return candidate.start < wanted; });
  if (chain == blob.chains.end() || chain->start != place || chain->is_builtin) {
    return Strange("a jump to no chain");
  }
  return std::string_view(chain->name);
}

absl::Status ReadRules(const TableBlob& blob, const BlobChain& chain, KernelChain& out) {
  const EntryLayout layout = LayoutOf(blob.family);
  const std::string_view entries = blob.entries();
  out.rules.reserve(chain.rules);
  for (std::uint32_t offset = chain.start; offset != chain.foot;) {
    const EntryView entry(entries.data() + offset, layout);
    FELIX_ASSIGN_OR_RETURN(const std::string_view target, TargetOf(blob, offset, entry));
    xt_counters counters{};
    std::memcpy(&counters, entries.data() + offset + layout.header - sizeof counters,
                sizeof counters);
    FELIX_ASSIGN_OR_RETURN(EncodedRule rule,
                           Normalise(entries.substr(offset, entry.size()), target, blob.family));
    out.rules.push_back(
        {.rule = std::move(rule), .counters = {.packets = counters.pcnt, .bytes = counters.bcnt}});
    offset += entry.size();
  }
  return absl::OkStatus();
}

absl::Status Show(const TableBlob& blob, const BlobChain& chain, bool with_rules,
                  TableContent& content) {
  KernelChain& out = content.chains.emplace_back();
  out.name = chain.name;
  out.is_builtin = chain.is_builtin;
  if (chain.is_builtin) {
    const EntryLayout layout = LayoutOf(blob.family);
    const EntryView policy(blob.entries().data() + chain.foot, layout);
    out.policy = VerdictName(policy.is_standard() ? policy.verdict() : 0);
  }
  return with_rules ? ReadRules(blob, chain, out) : absl::OkStatus();
}

}  // namespace

const BlobChain* TableBlob::Find(std::string_view name) const {
  const auto users = std::find_if(chains.begin(), chains.end(),
                                  [](const BlobChain& chain) { return !chain.is_builtin; });
  const auto builtin = std::find_if(chains.begin(), users,
                                    [&](const BlobChain& chain) { return chain.name == name; });
  if (builtin != users) return &*builtin;
  const auto chain = std::lower_bound(
      users, chains.end(), name,
      [](const BlobChain& candidate, std::string_view wanted) { return candidate.name < wanted; });
  return chain != chains.end() && chain->name == name ? &*chain : nullptr;
}

absl::StatusOr<TableBlob> ParseBlob(model::IpFamily family, const TableOutline& outline,
                                    std::string buffer) {
  TableBlob blob{.family = family, .outline = outline, .buffer = std::move(buffer), .chains = {}};
  FELIX_RETURN_IF_ERROR(Parser(blob).Run());
  return blob;
}

absl::StatusOr<TableContent> ContentOf(const TableBlob& blob) {
  TableContent content;
  content.chains.reserve(blob.chains.size());
  for (const BlobChain& chain : blob.chains) {
    FELIX_RETURN_IF_ERROR(Show(blob, chain, true, content));
  }
  return content;
}

absl::StatusOr<TableContent> ExcerptOf(const TableBlob& blob,
                                       const absl::btree_set<std::string>& chains,
                                       const absl::btree_set<std::string>& named) {
  std::vector<std::pair<const BlobChain*, bool>> found;
  for (const std::string& name : chains) {
    if (const BlobChain* chain = blob.Find(name)) found.emplace_back(chain, true);
  }
  for (const std::string& name : named) {
    if (chains.contains(name)) continue;
    if (const BlobChain* chain = blob.Find(name)) found.emplace_back(chain, false);
  }
  // All chains are in one vector, in the kernel's order.
  std::sort(found.begin(), found.end());
  TableContent content;
  content.chains.reserve(found.size());
  for (const auto& [chain, with_rules] : found) {
    FELIX_RETURN_IF_ERROR(Show(blob, *chain, with_rules, content));
  }
  return content;
}

bool HoldsSameRules(const TableBlob& blob, const std::string& buffer) {
  if (buffer.size() != blob.buffer.size()) return false;
  const EntryLayout layout = LayoutOf(blob.family);
  const char* const ours = blob.entries().data();
  const char* const theirs = buffer.data() + TableBlob::kRoom;
  for (std::uint32_t offset = 0; offset < blob.outline.bytes;) {
    const std::uint32_t size = EntryView(ours + offset, layout).size();
    if (std::memcmp(ours + offset, theirs + offset, layout.comefrom) != 0 ||
        std::memcmp(ours + offset + layout.header, theirs + offset + layout.header,
                    size - layout.header) != 0) {
      return false;
    }
    offset += size;
  }
  return true;
}

}  // namespace felix::iptables
