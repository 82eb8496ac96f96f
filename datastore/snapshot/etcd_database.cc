// SPDX-License-Identifier: Apache-2.0
#include "datastore/snapshot/etcd_database.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "fmt/format.h"

#include "datastore/snapshot/bolt_file.h"
#include "model/base/hash.h"
#include "model/base/status_macros.h"

namespace felix::datastore {
namespace {

// mvcc/revision.go and mvcc/key_index.go of etcd: 8 bytes, '_', 8 bytes, and 't' if it is a
// removal.
constexpr std::size_t kRevisionBytes = 17;
constexpr std::size_t kTombstoneBytes = 18;
constexpr std::size_t kChecksumBytes = 32;
constexpr std::size_t kSectorBytes = 512;

std::int64_t BigEndian(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char c : bytes.substr(0, 8)) number = number << 8U | static_cast<unsigned char>(c);
  return static_cast<std::int64_t>(number);
}

class ProtobufReader {
 public:
  explicit ProtobufReader(std::string_view bytes) : bytes_(bytes) {}

  std::optional<std::uint64_t> Number() {
    std::uint64_t number = 0;
    for (unsigned shift = 0; shift < 64 && !bytes_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      number |= std::uint64_t{byte & 0x7fU} << shift;
      if ((byte & 0x80U) == 0) return number;
    }
    return std::nullopt;
  }
  std::optional<std::string_view> Bytes() {
    const std::optional<std::uint64_t> size = Number();
    if (!size || *size > bytes_.size()) return std::nullopt;
    const std::string_view bytes = bytes_.substr(0, *size);
    bytes_.remove_prefix(*size);
    return bytes;
  }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }

 private:
  std::string_view bytes_;
};

struct StoredPair {
  std::string_view key;
  std::string_view value;
};

// mvccpb.KeyValue: 1 key, 2 to 4 revisions, 5 value, 6 lease.
std::optional<StoredPair> ParsePair(std::string_view bytes) {
  constexpr std::uint64_t kVarint = 0;
  constexpr std::uint64_t kLengthDelimited = 2;
  StoredPair pair;
  ProtobufReader reader(bytes);
  while (!reader.empty()) {
    const std::optional<std::uint64_t> tag = reader.Number();
    if (!tag) return std::nullopt;
    if ((*tag & 7U) == kVarint) {
      if (!reader.Number()) return std::nullopt;
    } else if ((*tag & 7U) == kLengthDelimited) {
      const std::optional<std::string_view> field = reader.Bytes();
      if (!field) return std::nullopt;
      if (*tag >> 3U == 1) pair.key = *field;
      if (*tag >> 3U == 5) pair.value = *field;
    } else {
      return std::nullopt;
    }
  }
  return pair.key.empty() ? std::nullopt : std::optional(pair);
}

// Everything up to this revision is what was left of it.
std::int64_t CompactedRevision(const BoltFile& file) {
  std::int64_t revision = 0;
  file.ForEach(
      "meta",
      [&](std::string_view key, std::string_view value) {
        if ((key == "finishedCompactRev" || key == "scheduledCompactRev") && value.size() >= 8) {
          revision = std::max(revision, BigEndian(value));
        }
        return true;
      },
      [](std::string_view) { return true; });
  return revision;
}

}  // namespace

absl::Status ReadEtcdDatabase(std::string_view bytes, EventSink& sink) {
  if (bytes.size() % kSectorBytes == kChecksumBytes) {
    const std::string_view body = bytes.substr(0, bytes.size() - kChecksumBytes);
    if (Sha256(body) != bytes.substr(body.size()) &&
        !sink.OnDamage({}, "the checksum at its end is that of another file")) {
      return absl::OkStatus();
    }
    bytes = body;
  }
  FELIX_ASSIGN_OR_RETURN(const BoltFile file, BoltFile::Open(bytes));
  const std::int64_t compacted = CompactedRevision(file);
  std::optional<std::int64_t> step;
  const auto damaged = [&](std::string_view reason) { return sink.OnDamage({}, reason); };
  const bool found = file.ForEach(
      "key",
      [&](std::string_view key, std::string_view value) {
        if (key.size() != kRevisionBytes && key.size() != kTombstoneBytes) {
          return damaged("a revision of an unknown form");
        }
        const std::int64_t revision = std::max(BigEndian(key), compacted);
        const std::optional<StoredPair> pair = ParsePair(value);
        if (!pair) return damaged(fmt::format("revision {}: not a key and a value", revision));
        if (step != revision) {
          step = revision;
          if (!sink.BeginStep({revision, std::nullopt})) return false;
        }
        if (key.size() == kTombstoneBytes) {
          sink.OnRemoval(pair->key);
        } else {
          sink.OnValue(pair->key, pair->value);
        }
        return true;
      },
      damaged);
  return found ? absl::OkStatus() : absl::DataLossError("the database has no bucket of keys");
}

}  // namespace felix::datastore
