// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "datastore/resource_document.h"

namespace felix::datastore {

// Where bytes come from, one portion after the other.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Fills at most `size` bytes; 0 means the end. Errors: reading or unpacking fails.
  virtual absl::StatusOr<std::size_t> Read(char* into, std::size_t size) = 0;
};

// Reads a file, or standard input for "-", from its beginning to its end in constant memory; what
// gzip (RFC 1952) or zstd (RFC 8878) has packed is unpacked on the way, recognised by its first
// bytes. Counts lines for messages. Is a stream as RapidJSON wants one. An error looks like the
// end: status() tells.
class ByteReader {
 public:
  using Ch = char;

  // Errors: there is no such file, or it cannot be read.
  static absl::StatusOr<std::unique_ptr<ByteReader>> Open(const std::string& path);
  // Of bytes in memory, which must stay.
  static std::unique_ptr<ByteReader> Over(std::string_view bytes);

  // "gzip", "zstd" or nothing.
  [[nodiscard]] std::string_view packing() const { return packing_; }
  [[nodiscard]] const absl::Status& status() const { return status_; }

  // The next bytes, fewer than `size` only at the end; at most kBufferBytes.
  std::string_view Ahead(std::size_t size);
  // What is left. Errors: more than `limit` bytes, or reading fails.
  absl::StatusOr<std::string> ReadRest(std::size_t limit);
  // The next line without its end; nothing at the end, or for a last line that has no end. Longer
  // ones than `limit` are an error.
  std::optional<std::string> ReadLine(std::size_t limit);
  // Up to behind the next line end.
  void SkipLine();
  [[nodiscard]] bool AtEnd() { return at_ == end_ && !Fill(); }
  // Of the next byte.
  [[nodiscard]] Position position() const;

  Ch Peek() { return AtEnd() ? '\0' : *at_; }
  Ch Take() { return AtEnd() ? '\0' : *at_++; }
  [[nodiscard]] std::size_t Tell() const {
    return passed_ + static_cast<std::size_t>(at_ - buffer_.data());
  }
  // RapidJSON calls these only of streams that are changed in place.
  Ch* PutBegin() { return nullptr; }
  void Put(Ch) {}
  void Flush() {}
  std::size_t PutEnd(Ch*) { return 0; }

  static constexpr std::size_t kBufferBytes = std::size_t{1} << 18;

 private:
  explicit ByteReader(std::unique_ptr<ByteSource> source);
  // Recognises what is packed.
  void Unpack();
  bool Fill();
  void Pass();

  std::unique_ptr<ByteSource> source_;
  std::vector<char> buffer_;
  const char* at_;
  const char* end_;
  std::size_t passed_ = 0;         // bytes before the buffer
  int lines_passed_ = 0;           // line ends before the buffer
  std::size_t column_passed_ = 0;  // bytes between the last of them and the buffer
  std::string_view packing_;
  absl::Status status_;
};

// The same bytes unpacked. Errors appear when it is read.
[[nodiscard]] std::unique_ptr<ByteSource> UnpackGzip(std::unique_ptr<ByteSource> packed);
[[nodiscard]] std::unique_ptr<ByteSource> UnpackZstd(std::unique_ptr<ByteSource> packed);

}  // namespace felix::datastore
