// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace felix::datastore {

// A file of bbolt, the store beneath etcd, read without etcd: the B+ tree of pages that its
// page.go, bucket.go and db.go describe. Of the two meta pages the newer one with a good checksum
// counts. Nothing is believed of the file: every offset is checked against its end, and no page is
// entered twice. Borrows the bytes.
class BoltFile {
 public:
  // Errors: kInvalidArgument if this is no such file, kDataLoss if neither meta page is good.
  static absl::StatusOr<BoltFile> Open(std::string_view bytes);
  [[nodiscard]] static bool Looks(std::string_view head);

  using OnPair = std::function<bool(std::string_view key, std::string_view value)>;
  using OnDamage = std::function<bool(std::string_view reason)>;
  // The pairs of a bucket of the top level in the order of their keys, until a callback says no.
  // What is damaged is left out. False if there is no such bucket.
  bool ForEach(std::string_view bucket, const OnPair& on_pair, const OnDamage& on_damage) const;

 private:
  struct Page {
    std::uint16_t flags = 0;
    std::uint16_t count = 0;
    std::string_view bytes;  // header included
  };
  struct Walk {
    const OnPair& on_pair;
    const OnDamage& on_damage;
    std::vector<bool>& entered;  // by page
  };
  BoltFile(std::string_view bytes, std::uint32_t page_size)
      : bytes_(bytes), page_size_(page_size) {}

  [[nodiscard]] absl::StatusOr<Page> PageAt(std::uint64_t number) const;
  [[nodiscard]] static absl::StatusOr<Page> ReadPage(std::string_view bytes);
  bool WalkPage(std::uint64_t number, int depth, const Walk& walk) const;
  bool WalkBranch(const Page& page, int depth, const Walk& walk) const;
  static bool WalkLeaf(const Page& page, std::uint64_t number, const Walk& walk);

  std::string_view bytes_;
  std::uint32_t page_size_;
  std::uint64_t root_ = 0;
};

}  // namespace felix::datastore
