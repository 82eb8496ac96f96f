// SPDX-License-Identifier: Apache-2.0
#include "datastore/file_source.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include "fmt/format.h"

#include "datastore/resource_document.h"
#include "datastore/v1_object.h"
#include "datastore/v3_decoder.h"
#include "model/base/check.h"
#include "model/base/status_macros.h"
#include "model/base/strings.h"

namespace felix::datastore {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kFirstRetryMs = 100;
constexpr int kLastRetryMs = 10'000;
// How long changes may be gathered into one batch.
constexpr milliseconds kGatherFor{2};
// Removals alone may be the directory itself on its way out, of which only the last event tells.
constexpr milliseconds kGatherRemovalsFor{100};
constexpr int kQuietMs = 2;
constexpr int kHalfMoveMs = 1;
// How often a listing is taken anew because a file in it was gone when it was to be read.
constexpr int kListingAttempts = 3;

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

absl::StatusOr<std::string> ReadText(const std::string& path) {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.get() < 0) return absl::ErrnoToStatus(errno, "read");
  struct stat status = {};
  if (fstat(file.get(), &status) != 0) return absl::ErrnoToStatus(errno, "read");
  if (!S_ISREG(status.st_mode)) return absl::InvalidArgumentError("not a regular file");
  if (static_cast<std::size_t>(status.st_size) > kMaxTextBytes) {
    return absl::ResourceExhaustedError(
        fmt::format("file of {} bytes is longer than {}", status.st_size, kMaxTextBytes));
  }
  std::string text;
  text.reserve(static_cast<std::size_t>(status.st_size));
  std::array<char, 64 << 10> buffer;
  while (text.size() <= kMaxTextBytes) {
    const ssize_t size = read(file.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return absl::ErrnoToStatus(errno, "read");
    if (size == 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
  return text;
}

Refusal FileRefusal(const std::string& path, Position position, std::string_view reason) {
  Refusal refusal;
  refusal.origin = position.line == 0 ? path : fmt::format("{}:{}", path, position.ToString());
  refusal.reason = Printable(reason);
  return refusal;
}

}  // namespace

FileSource::FileSource(std::string directory, SourceTap* tap)
    : directory_(std::move(directory)), tap_(tap) {
  while (directory_.size() > 1 && directory_.back() == '/') directory_.pop_back();
}

FileSource::~FileSource() {
  Stop();
}

absl::Status FileSource::Start(Sink& sink) {
  if (directory_.empty()) {
    return absl::InvalidArgumentError("start file source: no directory is named");
  }
  if (wake_fd_ >= 0) {
    return absl::FailedPreconditionError(
        fmt::format("start file source {}: started before", directory_));
  }
  wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd_ < 0) return absl::ErrnoToStatus(errno, "start file source");
  sink_ = &sink;
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

void FileSource::Resync() {
  resync_ = true;
  if (wake_fd_ >= 0) eventfd_write(wake_fd_, 1);
}

void FileSource::Stop() {
  stop_ = true;
  if (wake_fd_ >= 0) eventfd_write(wake_fd_, 1);
  if (!thread_.joinable()) return;
  thread_.join();
  close(wake_fd_);
  wake_fd_ = -1;
}

absl::btree_map<std::string, std::size_t> FileSource::IgnoredKinds() const {
  return delivery_.IgnoredKinds();
}

bool FileSource::Wait(int timeout_ms) {
  std::array<pollfd, 2> descriptors = {pollfd{wake_fd_, POLLIN, 0},
                                       pollfd{watcher_ ? watcher_->fd() : -1, POLLIN, 0}};
  const int ready = poll(descriptors.data(), descriptors.size(), timeout_ms);
  if (ready <= 0) return false;
  if (descriptors[0].revents != 0) {
    eventfd_t count = 0;
    eventfd_read(wake_fd_, &count);
  }
  return descriptors[1].revents != 0;
}

void FileSource::Run() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);

  int retry_ms = kFirstRetryMs;
  while (!stop_) {
    // A watcher of the directory that was lost would go on to speak of that one.
    watcher_.reset();
    resync_ = false;
    absl::Status status = Synchronise(true);
    if (status.ok()) {
      retry_ms = kFirstRetryMs;
      status = Follow();
    }
    if (stop_) return;
    if (status.ok()) continue;
    sink_->OnLost(status);
    Wait(retry_ms);
    retry_ms = std::min(2 * retry_ms, kLastRetryMs);
  }
}

absl::Status FileSource::Synchronise(bool read_everything) {
  if (!watcher_) {
    FELIX_ASSIGN_OR_RETURN(watcher_, DirectoryWatcher::Open(directory_));
  }
  bool settled = false;
  for (int attempt = 0; attempt < kListingAttempts && !settled; ++attempt) {
    absl::StatusOr<DirectoryListing> listing = watcher_->List();
    if (!listing.ok()) return listing.status();
    settled = ReadListed(*listing, read_everything && attempt == 0);
  }
  Deliver(true);
  return absl::OkStatus();
}

bool FileSource::ReadListed(const DirectoryListing& now, bool read_everything) {
  bool settled = true;
  const DirectoryListing before = std::exchange(listing_, now);
  for (const auto& [file, signature] : before) {
    if (!now.contains(file)) RemoveFile(file);
  }
  for (const auto& [file, signature] : now) {
    const auto known = before.find(file);
    const bool is_known = known != before.end() && known->second == signature;
    if (is_known && !read_everything) continue;
    if (ReadFile(file)) continue;
    RemoveFile(file);
    settled = false;
  }
  return settled;
}

// Makes one batch of what belongs together, such as both ends of a rename.
void FileSource::Gather(DirectoryWatcher::Changes& changes) {
  const steady_clock::time_point start = steady_clock::now();
  watcher_->Read(changes);
  while (!stop_ && !changes.root_gone) {
    const milliseconds limit = changes.only_removals ? kGatherRemovalsFor : kGatherFor;
    if (steady_clock::now() - start >= limit) break;
    const int wait_ms = changes.only_removals        ? kQuietMs
                        : changes.half_moves.empty() ? 0
                                                     : kHalfMoveMs;
    if (!Wait(wait_ms)) break;
    watcher_->Read(changes);
  }
}

absl::Status FileSource::Follow() {
  while (!stop_ && !resync_) {
    if (!Wait(-1)) continue;
    DirectoryWatcher::Changes changes;
    Gather(changes);
    FELIX_RETURN_IF_ERROR(Apply(changes));
  }
  return absl::OkStatus();
}

absl::Status FileSource::Apply(DirectoryWatcher::Changes& changes) {
  if (changes.root_gone || !watcher_->RootIsInPlace()) {
    return absl::UnavailableError(fmt::format("read {}: the directory is gone", directory_));
  }
  // A move is done before either of its events, so a listing shows both of its ends.
  if (changes.rescan || !changes.half_moves.empty()) {
    // The signatures tell what changed, except for files that are named anyway.
    for (const std::string& file : changes.files) listing_[file] = FileSignature{};
    return Synchronise(false);
  }
  for (const std::string& file : changes.attributes) {
    if (unreadable_.contains(file)) changes.files.insert(file);
  }
  bool moved = false;
  for (const std::string& file : changes.files) {
    if (ReadFile(file)) continue;
    RemoveFile(file);
    moved = moved || !changes.deleted.contains(file);
  }
  // A file that is gone without a word has another name by now, of which the event is yet to come.
  if (moved) return Synchronise(false);
  Deliver(false);
  return absl::OkStatus();
}

void FileSource::Deliver(bool listed) {
  if (tap_ != nullptr) tap_->OnStepEnd(0);
  delivery_.Deliver(table_, table_.Hold(), listed, *sink_);
}

void FileSource::RemoveFile(const std::string& file) {
  if (tap_ != nullptr) tap_->OnFileGone(fmt::format("{}/{}", directory_, file));
  table_.RemoveFile(file);
  listing_.erase(file);
  unreadable_.erase(file);
}

bool FileSource::ReadFile(const std::string& file) {
  const std::string path = fmt::format("{}/{}", directory_, file);
  // Whatever is read now is newer than any signature taken before.
  listing_.try_emplace(file);
  const absl::StatusOr<std::string> text = ReadText(path);
  struct stat status = {};
  if (!text.ok()) {
    if (absl::IsNotFound(text.status()) && lstat(path.c_str(), &status) != 0) return false;
    unreadable_.insert(file);
    table_.SetFileRefusal(file, FileRefusal(path, {}, ToStd(text.status().message())));
    return true;
  }
  unreadable_.erase(file);
  if (tap_ != nullptr) tap_->OnFile(path, *text);
  const ParsedText parsed =
      std::string_view(file).ends_with(".json") ? ParseJsonOrJsonLines(*text) : ParseYaml(*text);
  if (parsed.fault) {
    table_.SetFileRefusal(file, FileRefusal(path, parsed.fault->position, parsed.fault->reason));
    return true;
  }
  std::vector<Decoded> objects;
  for (const DocumentNode* object : SplitResources(parsed.documents)) {
    objects.push_back(IsV1Entry(*object) ? DecodeV1Entry(*object, path)
                                         : DecodeResource(*object, path));
  }
  table_.SetFile(file, path, std::move(objects));
  table_.SetFileRefusal(file, std::nullopt);
  return true;
}

}  // namespace felix::datastore
