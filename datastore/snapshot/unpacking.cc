// SPDX-License-Identifier: Apache-2.0
#include <zlib.h>
#include <zstd.h>

#include <utility>
#include <vector>

#include "fmt/format.h"

#include "datastore/snapshot/byte_reader.h"
#include "model/base/check.h"

namespace felix::datastore {
namespace {

constexpr std::size_t kPackedBytes = std::size_t{1} << 16;
// Both header forms are understood, of which we only meet that of gzip.
constexpr int kGzipWindow = 15 + 32;
// Asks for no more memory than 128 MB, whatever the data say.
constexpr int kMaxZstdWindowLog = 27;

class GzipSource final : public ByteSource {
 public:
  explicit GzipSource(std::unique_ptr<ByteSource> packed)
      : packed_(std::move(packed)), buffer_(kPackedBytes) {
    FELIX_CHECK(inflateInit2(&stream_, kGzipWindow) == Z_OK, "zlib does not begin");
  }
  ~GzipSource() override { inflateEnd(&stream_); }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;

  absl::StatusOr<std::size_t> Read(char* into, std::size_t size) override {
    stream_.next_out = reinterpret_cast<Bytef*>(into);
    stream_.avail_out = static_cast<uInt>(size);
    while (stream_.avail_out == size) {
      if (stream_.avail_in == 0) {
        absl::StatusOr<std::size_t> more = packed_->Read(buffer_.data(), buffer_.size());
        if (!more.ok()) return more;
        if (*more == 0) {
          if (between_members_) return std::size_t{0};
          return absl::DataLossError("unpack gzip: the data end early");
        }
        stream_.next_in = reinterpret_cast<Bytef*>(buffer_.data());
        stream_.avail_in = static_cast<uInt>(*more);
      }
      // Several packed files one after the other are one.
      if (std::exchange(between_members_, false)) inflateReset(&stream_);
      const int result = inflate(&stream_, Z_NO_FLUSH);
      if (result == Z_STREAM_END) {
        between_members_ = true;
      } else if (result != Z_OK) {
        return absl::DataLossError(fmt::format(
            "unpack gzip: {}", stream_.msg != nullptr ? stream_.msg : "the data are damaged"));
      }
    }
    return size - stream_.avail_out;
  }

 private:
  std::unique_ptr<ByteSource> packed_;
  std::vector<char> buffer_;
  z_stream stream_ = {};
  bool between_members_ = false;
};

class ZstdSource final : public ByteSource {
 public:
  explicit ZstdSource(std::unique_ptr<ByteSource> packed)
      : packed_(std::move(packed)), buffer_(kPackedBytes), stream_(ZSTD_createDStream()) {
    FELIX_CHECK(stream_ != nullptr, "zstd does not begin");
    ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, kMaxZstdWindowLog);
  }
  ~ZstdSource() override { ZSTD_freeDStream(stream_); }
  ZstdSource(const ZstdSource&) = delete;
  ZstdSource& operator=(const ZstdSource&) = delete;

  absl::StatusOr<std::size_t> Read(char* into, std::size_t size) override {
    ZSTD_outBuffer out = {into, size, 0};
    while (out.pos == 0) {
      if (in_.pos == in_.size) {
        absl::StatusOr<std::size_t> more = packed_->Read(buffer_.data(), buffer_.size());
        if (!more.ok()) return more;
        if (*more == 0) {
          if (between_frames_) return std::size_t{0};
          return absl::DataLossError("unpack zstd: the data end early");
        }
        in_ = {buffer_.data(), *more, 0};
      }
      const std::size_t result = ZSTD_decompressStream(stream_, &out, &in_);
      if (ZSTD_isError(result) != 0) {
        return absl::DataLossError(fmt::format("unpack zstd: {}", ZSTD_getErrorName(result)));
      }
      between_frames_ = result == 0;
    }
    return out.pos;
  }

 private:
  std::unique_ptr<ByteSource> packed_;
  std::vector<char> buffer_;
  ZSTD_DStream* stream_;
  ZSTD_inBuffer in_ = {nullptr, 0, 0};
  bool between_frames_ = false;
};

}  // namespace

std::unique_ptr<ByteSource> UnpackGzip(std::unique_ptr<ByteSource> packed) {
  return std::make_unique<GzipSource>(std::move(packed));
}

std::unique_ptr<ByteSource> UnpackZstd(std::unique_ptr<ByteSource> packed) {
  return std::make_unique<ZstdSource>(std::move(packed));
}

}  // namespace felix::datastore
