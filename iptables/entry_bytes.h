// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// The memory layout that both families of x_tables share: a header, then matches, then one target,
// each extension a 32-byte head (size, name, revision) and its data, padded to 8 bytes
// (<linux/netfilter/x_tables.h>). Bytes are copied, never overlaid, so alignment is no concern.
namespace felix::iptables {

inline constexpr std::size_t kExtensionHeadSize = 32;
inline constexpr std::size_t kMaxTargetNameLength = 28;
inline constexpr std::size_t kMaxInterfaceNameLength = 15;

constexpr std::size_t AlignEntrySize(std::size_t size) {
  return (size + 7) & ~std::size_t{7};
}

// A plain struct of the kernel's ABI from the front of `bytes`, which must be long enough.
template <typename T>
T LoadBytes(std::string_view bytes) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}
template <typename T>
std::string_view AsBytes(const T& value) {
  static_assert(std::has_unique_object_representations_v<T>, "padding has no value");
  return {reinterpret_cast<const char*>(&value), sizeof(T)};
}

// A struct of the kernel's ABI whose bytes are compared, padding included. It lives in an array of
// bytes because compilers may lose what a struct holds between its fields when they copy it or keep
// it in registers. Write field by field, never the whole.
template <typename T>
class ZeroedBytes {
 public:
  static_assert(std::is_trivially_copyable_v<T> && std::is_standard_layout_v<T>);
  T& operator*() { return *std::launder(reinterpret_cast<T*>(bytes_)); }
  T* operator->() { return &**this; }
  [[nodiscard]] std::string_view view() const {
    return {reinterpret_cast<const char*>(bytes_), sizeof(T)};
  }

 private:
  alignas(T) unsigned char bytes_[sizeof(T)] = {};
};

// A match or a target within an entry.
struct Extension {
  std::string_view name;
  std::uint8_t revision = 0;
  std::string_view data;  // padded
};

void AppendExtension(std::string_view name, std::uint8_t revision, std::string_view data,
                     std::string& entry);

struct EntryParts {
  std::string_view header;
  std::vector<Extension> matches;
  Extension target;
};
// Cuts an entry into its parts. `header_size` is that of the family's entry struct, `target_offset`
// what the entry says. kInvalidArgument if sizes do not fit together.
absl::StatusOr<EntryParts> SplitEntry(std::string_view entry, std::size_t header_size,
                                      std::size_t target_offset);

// Zeroes what follows the names of extensions: the kernel leaves it as it was in the reader's
// buffer.
void ClearNameTails(std::string& entry, std::size_t header_size, std::size_t target_offset);

}  // namespace felix::iptables
