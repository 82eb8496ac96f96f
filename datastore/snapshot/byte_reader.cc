// SPDX-License-Identifier: Apache-2.0
#include "datastore/snapshot/byte_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "fmt/format.h"

namespace felix::datastore {
namespace {

constexpr std::string_view kGzipMagic = "\x1f\x8b";
constexpr std::string_view kZstdMagic = "\x28\xb5\x2f\xfd";

class FileBytes final : public ByteSource {
 public:
  explicit FileBytes(int fd) : fd_(fd) {}
  ~FileBytes() override {
    if (fd_ != STDIN_FILENO) close(fd_);
  }
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;

  absl::StatusOr<std::size_t> Read(char* into, std::size_t size) override {
    while (true) {
      const ssize_t count = read(fd_, into, size);
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno != EINTR) return absl::ErrnoToStatus(errno, "read");
    }
  }

 private:
  int fd_;
};

class MemoryBytes final : public ByteSource {
 public:
  explicit MemoryBytes(std::string_view bytes) : bytes_(bytes) {}
  absl::StatusOr<std::size_t> Read(char* into, std::size_t size) override {
    const std::size_t count = std::min(size, bytes_.size());
    std::memcpy(into, bytes_.data(), count);
    bytes_.remove_prefix(count);
    return count;
  }

 private:
  std::string_view bytes_;
};

// Some bytes that were read already, and then the rest.
class PutBack final : public ByteSource {
 public:
  PutBack(std::string first, std::unique_ptr<ByteSource> rest)
      : first_(std::move(first)), rest_(std::move(rest)) {}
  absl::StatusOr<std::size_t> Read(char* into, std::size_t size) override {
    if (first_.empty()) return rest_->Read(into, size);
    const std::size_t count = std::min(size, first_.size());
    std::memcpy(into, first_.data(), count);
    first_.erase(0, count);
    return count;
  }

 private:
  std::string first_;
  std::unique_ptr<ByteSource> rest_;
};

}  // namespace

ByteReader::ByteReader(std::unique_ptr<ByteSource> source)
    : source_(std::move(source)), buffer_(kBufferBytes), at_(buffer_.data()), end_(at_) {
  Unpack();
}

absl::StatusOr<std::unique_ptr<ByteReader>> ByteReader::Open(const std::string& path) {
  int fd = STDIN_FILENO;
  if (path != "-") {
    fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return absl::ErrnoToStatus(errno, fmt::format("open {}", path));
  }
  std::unique_ptr<ByteReader> reader(new ByteReader(std::make_unique<FileBytes>(fd)));
  if (!reader->status_.ok()) return reader->status_;
  return reader;
}

std::unique_ptr<ByteReader> ByteReader::Over(std::string_view bytes) {
  return std::unique_ptr<ByteReader>(new ByteReader(std::make_unique<MemoryBytes>(bytes)));
}

void ByteReader::Unpack() {
  const std::string_view head = Ahead(kZstdMagic.size());
  const bool gzip = head.starts_with(kGzipMagic);
  if (!gzip && !head.starts_with(kZstdMagic)) return;
  packing_ = gzip ? "gzip" : "zstd";
  auto packed = std::make_unique<PutBack>(std::string(at_, end_), std::move(source_));
  source_ = gzip ? UnpackGzip(std::move(packed)) : UnpackZstd(std::move(packed));
  at_ = end_ = buffer_.data();
}

std::string_view ByteReader::Ahead(std::size_t size) {
  size = std::min(size, buffer_.size());
  while (static_cast<std::size_t>(end_ - at_) < size && status_.ok()) {
    Pass();
    char* const free = buffer_.data() + (end_ - buffer_.data());
    const absl::StatusOr<std::size_t> count =
        source_->Read(free, buffer_.size() - static_cast<std::size_t>(end_ - buffer_.data()));
    if (!count.ok()) status_ = count.status();
    if (!count.ok() || *count == 0) break;
    end_ += *count;
  }
  return {at_, std::min(size, static_cast<std::size_t>(end_ - at_))};
}

// Forgets what was taken, and moves what is left to the front.
void ByteReader::Pass() {
  const Position before = position();
  lines_passed_ = before.line - 1;
  column_passed_ = static_cast<std::size_t>(before.column - 1);
  const auto taken = static_cast<std::size_t>(at_ - buffer_.data());
  const auto left = static_cast<std::size_t>(end_ - at_);
  passed_ += taken;
  std::memmove(buffer_.data(), at_, left);
  at_ = buffer_.data();
  end_ = at_ + left;
}

bool ByteReader::Fill() {
  return !Ahead(1).empty();
}

absl::StatusOr<std::string> ByteReader::ReadRest(std::size_t limit) {
  std::string text;
  while (!AtEnd()) {
    text.append(at_, end_);
    at_ = end_;
    if (text.size() > limit) {
      return absl::ResourceExhaustedError(fmt::format("longer than {} bytes", limit));
    }
  }
  if (!status_.ok()) return status_;
  return text;
}

std::optional<std::string> ByteReader::ReadLine(std::size_t limit) {
  std::string line;
  while (!AtEnd()) {
    const auto* line_end =
        static_cast<const char*>(std::memchr(at_, '\n', static_cast<std::size_t>(end_ - at_)));
    line.append(at_, line_end == nullptr ? end_ : line_end);
    at_ = line_end == nullptr ? end_ : line_end + 1;
    if (line.size() > limit) {
      status_ = absl::ResourceExhaustedError(fmt::format("a line longer than {} bytes", limit));
      return std::nullopt;
    }
    if (line_end != nullptr) return line;
  }
  return std::nullopt;
}

void ByteReader::SkipLine() {
  while (!AtEnd()) {
    const auto* line_end =
        static_cast<const char*>(std::memchr(at_, '\n', static_cast<std::size_t>(end_ - at_)));
    at_ = line_end == nullptr ? end_ : line_end + 1;
    if (line_end != nullptr) return;
  }
}

Position ByteReader::position() const {
  const std::string_view taken(buffer_.data(), static_cast<std::size_t>(at_ - buffer_.data()));
  const auto lines = static_cast<int>(std::count(taken.begin(), taken.end(), '\n'));
  const std::size_t last = taken.rfind('\n');
  const std::size_t column =
      last == std::string_view::npos ? column_passed_ + taken.size() : taken.size() - last - 1;
  return {lines_passed_ + lines + 1, static_cast<int>(column) + 1};
}

}  // namespace felix::datastore
