// SPDX-License-Identifier: Apache-2.0
#include "datastore/snapshot/bolt_file.h"

#include <cstring>

#include "fmt/format.h"

#include "model/base/status_macros.h"

namespace felix::datastore {
namespace {

constexpr std::uint32_t kMagic = 0xED0CDAED;
constexpr std::uint32_t kVersion = 2;
constexpr std::size_t kPageHeader = 16;
constexpr std::size_t kMetaBytes = 64;
constexpr std::size_t kBranchElement = 16;
constexpr std::size_t kLeafElement = 16;
constexpr std::size_t kBucketHeader = 16;
constexpr std::uint16_t kBranchPage = 1;
constexpr std::uint16_t kLeafPage = 2;
constexpr std::uint32_t kBucketLeaf = 1;
constexpr std::uint32_t kSmallestPage = 512;
constexpr std::uint32_t kLargestPage = 1U << 20U;
// Pages hold two keys or more, so that a tree of this depth is larger than any file.
constexpr int kDeepest = 48;

// The file is written in the order of its machine's bytes, which is little-endian for all that
// etcd supports.
template <typename Number>
Number Get(std::string_view bytes, std::size_t offset) {
  Number number = 0;
  std::memcpy(&number, bytes.data() + offset, sizeof number);
  return number;
}

struct Meta {
  std::uint32_t page_size = 0;
  std::uint64_t root = 0;
  std::uint64_t transaction = 0;
};

std::uint64_t Fnv1a(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : bytes) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3U;
  }
  return hash;
}

std::optional<Meta> ReadMeta(std::string_view file, std::size_t page_offset) {
  if (file.size() < page_offset + kPageHeader + kMetaBytes) return std::nullopt;
  const std::string_view meta = file.substr(page_offset + kPageHeader, kMetaBytes);
  if (Get<std::uint32_t>(meta, 0) != kMagic || Get<std::uint32_t>(meta, 4) != kVersion) {
    return std::nullopt;
  }
  if (Get<std::uint64_t>(meta, 56) != Fnv1a(meta.substr(0, 56))) return std::nullopt;
  Meta read{Get<std::uint32_t>(meta, 8), Get<std::uint64_t>(meta, 16),
            Get<std::uint64_t>(meta, 48)};
  if (read.page_size < kSmallestPage || read.page_size > kLargestPage) return std::nullopt;
  return read;
}

}  // namespace

bool BoltFile::Looks(std::string_view head) {
  return head.size() >= kPageHeader + 4 && Get<std::uint32_t>(head, kPageHeader) == kMagic;
}

absl::StatusOr<BoltFile> BoltFile::Open(std::string_view bytes) {
  if (!Looks(bytes)) return absl::InvalidArgumentError("not a database of etcd");
  std::optional<Meta> best = ReadMeta(bytes, 0);
  for (std::uint32_t size = kSmallestPage; size <= kLargestPage; size *= 2) {
    const std::optional<Meta> second = ReadMeta(bytes, size);
    if (!second || second->page_size != size) continue;
    if (!best || second->transaction > best->transaction) best = second;
  }
  if (!best) return absl::DataLossError("neither meta page has a good checksum");
  BoltFile file(bytes, best->page_size);
  file.root_ = best->root;
  return file;
}

absl::StatusOr<BoltFile::Page> BoltFile::ReadPage(std::string_view bytes) {
  if (bytes.size() < kPageHeader) return absl::DataLossError("behind the end of the file");
  Page page;
  page.flags = Get<std::uint16_t>(bytes, 8);
  page.count = Get<std::uint16_t>(bytes, 10);
  page.bytes = bytes;
  const std::size_t element = page.flags == kBranchPage ? kBranchElement : kLeafElement;
  if (page.flags != kBranchPage && page.flags != kLeafPage) {
    return absl::DataLossError(fmt::format("unknown kind {:#x}", page.flags));
  }
  if (kPageHeader + page.count * element > bytes.size()) {
    return absl::DataLossError("more elements than fit");
  }
  return page;
}

absl::StatusOr<BoltFile::Page> BoltFile::PageAt(std::uint64_t number) const {
  const std::uint64_t pages = bytes_.size() / page_size_;
  if (number >= pages) return absl::DataLossError("behind the end of the file");
  const std::size_t offset = number * page_size_;
  const std::uint64_t more = Get<std::uint32_t>(bytes_, offset + 12);
  if (Get<std::uint64_t>(bytes_, offset) != number) {
    return absl::DataLossError(fmt::format("calls itself {}", Get<std::uint64_t>(bytes_, offset)));
  }
  if (more >= pages - number) return absl::DataLossError("longer than the file");
  return ReadPage(bytes_.substr(offset, (more + 1) * page_size_));
}

bool BoltFile::WalkPage(std::uint64_t number, int depth, const Walk& walk) const {
  if (depth > kDeepest) return walk.on_damage(fmt::format("page {}: too deep", number));
  const absl::StatusOr<Page> page = PageAt(number);
  if (!page.ok()) {
    return walk.on_damage(fmt::format("page {}: {}", number, std::string(page.status().message())));
  }
  if (walk.entered[number]) {
    return walk.on_damage(fmt::format("page {}: is in the tree twice", number));
  }
  walk.entered[number] = true;
  return page->flags == kBranchPage ? WalkBranch(*page, depth, walk)
                                    : WalkLeaf(*page, number, walk);
}

bool BoltFile::WalkBranch(const Page& page, int depth, const Walk& walk) const {
  for (std::size_t i = 0; i < page.count; ++i) {
    const auto child = Get<std::uint64_t>(page.bytes, kPageHeader + i * kBranchElement + 8);
    if (!WalkPage(child, depth + 1, walk)) return false;
  }
  return true;
}

bool BoltFile::WalkLeaf(const Page& page, std::uint64_t number, const Walk& walk) {
  for (std::size_t i = 0; i < page.count; ++i) {
    const std::size_t at = kPageHeader + i * kLeafElement;
    const auto flags = Get<std::uint32_t>(page.bytes, at);
    const std::size_t key_at = at + Get<std::uint32_t>(page.bytes, at + 4);
    const std::size_t key_size = Get<std::uint32_t>(page.bytes, at + 8);
    const std::size_t value_size = Get<std::uint32_t>(page.bytes, at + 12);
    const bool fits = key_at <= page.bytes.size() && key_size <= page.bytes.size() - key_at &&
                      value_size <= page.bytes.size() - key_at - key_size;
    if (!fits) {
      if (!walk.on_damage(fmt::format("page {}: element {} is longer than it", number, i))) {
        return false;
      }
      continue;
    }
    // The element's first byte tells a bucket from a value: callers want one kind only, and know
    // buckets by their header's length.
    const std::string_view key = page.bytes.substr(key_at, key_size);
    const std::string_view value = page.bytes.substr(key_at + key_size, value_size);
    if ((flags & kBucketLeaf) != 0 && value.size() < kBucketHeader) continue;
    if (!walk.on_pair(key, value)) return false;
  }
  return true;
}

bool BoltFile::ForEach(std::string_view bucket, const OnPair& on_pair,
                       const OnDamage& on_damage) const {
  std::optional<std::string_view> header;
  const OnPair find = [&](std::string_view key, std::string_view value) {
    if (key == bucket && value.size() >= kBucketHeader) header = value;
    return true;
  };
  std::vector<bool> entered(bytes_.size() / page_size_);
  WalkPage(root_, 0, {find, on_damage, entered});
  if (!header) return false;
  const Walk walk{on_pair, on_damage, entered};
  const auto root = Get<std::uint64_t>(*header, 0);
  if (root != 0) {
    WalkPage(root, 0, walk);
    return true;
  }
  // A small bucket is a leaf page within its parent.
  const absl::StatusOr<Page> page = ReadPage(header->substr(kBucketHeader));
  if (!page.ok()) {
    on_damage(fmt::format("bucket {}: {}", bucket, std::string(page.status().message())));
  } else if (page->flags == kLeafPage) {
    WalkLeaf(*page, 0, walk);
  }
  return true;
}

}  // namespace felix::datastore
