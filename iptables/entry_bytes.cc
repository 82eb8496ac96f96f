// SPDX-License-Identifier: Apache-2.0
#include "iptables/entry_bytes.h"

#include <linux/netfilter/x_tables.h>

#include "model/base/check.h"

namespace felix::iptables {
namespace {

static_assert(sizeof(xt_entry_match) == kExtensionHeadSize);
static_assert(sizeof(xt_entry_target) == kExtensionHeadSize);
static_assert(XT_EXTENSION_MAXNAMELEN == kMaxTargetNameLength + 1);

constexpr std::size_t kNameOffset = 2;

std::size_t ExtensionSize(std::string_view entry, std::size_t offset) {
  return LoadBytes<std::uint16_t>(entry.substr(offset));
}

// The extension at `offset`, if it lies wholly before `end`.
bool ReadExtension(std::string_view entry, std::size_t offset, std::size_t end, Extension& out) {
  if (offset + kExtensionHeadSize > end) return false;
  const std::size_t size = ExtensionSize(entry, offset);
  if (size < kExtensionHeadSize || offset + size > end) return false;
  const std::string_view name = entry.substr(offset + kNameOffset, XT_EXTENSION_MAXNAMELEN);
  out.name = name.substr(0, name.find('\0'));
  out.revision = static_cast<std::uint8_t>(entry[offset + kExtensionHeadSize - 1]);
  out.data = entry.substr(offset + kExtensionHeadSize, size - kExtensionHeadSize);
  return true;
}

}  // namespace

void AppendExtension(std::string_view name, std::uint8_t revision, std::string_view data,
                     std::string& entry) {
  FELIX_CHECK(name.size() <= kMaxTargetNameLength, "extension name too long");
  const std::size_t size = AlignEntrySize(kExtensionHeadSize + data.size());
  const std::size_t start = entry.size();
  entry.append(AsBytes(static_cast<std::uint16_t>(size)));
  entry.append(name);
  entry.resize(start + kExtensionHeadSize - 1, '\0');
  entry.push_back(static_cast<char>(revision));
  entry.append(data);
  entry.resize(start + size, '\0');
}

absl::StatusOr<EntryParts> SplitEntry(std::string_view entry, std::size_t header_size,
                                      std::size_t target_offset) {
  if (target_offset < header_size || target_offset > entry.size()) {
    return absl::InvalidArgumentError("rule entry with a target outside of it");
  }
  EntryParts parts;
  parts.header = entry.substr(0, header_size);
  for (std::size_t offset = header_size; offset < target_offset;) {
    Extension match;
    if (!ReadExtension(entry, offset, target_offset, match)) {
      return absl::InvalidArgumentError("rule entry with a match of impossible size");
    }
    parts.matches.push_back(match);
    offset += ExtensionSize(entry, offset);
  }
  if (!ReadExtension(entry, target_offset, entry.size(), parts.target)) {
    return absl::InvalidArgumentError("rule entry with a target of impossible size");
  }
  return parts;
}

void ClearNameTails(std::string& entry, std::size_t header_size, std::size_t target_offset) {
  Extension extension;
  for (std::size_t offset = header_size;
       ReadExtension(entry, offset, entry.size(), extension) && offset <= target_offset;
       offset += ExtensionSize(entry, offset)) {
    const std::size_t tail = offset + kNameOffset + extension.name.size();
    std::memset(entry.data() + tail, 0, offset + kExtensionHeadSize - 1 - tail);
  }
}

}  // namespace felix::iptables
