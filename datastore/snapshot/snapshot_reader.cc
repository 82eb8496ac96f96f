// SPDX-License-Identifier: Apache-2.0
#include "datastore/snapshot/snapshot_reader.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <string_view>
#include <system_error>

#include "fmt/format.h"

#include "datastore/snapshot/bolt_file.h"
#include "datastore/snapshot/byte_reader.h"
#include "datastore/snapshot/etcd_database.h"
#include "datastore/snapshot/etcd_json.h"
#include "datastore/snapshot/recording.h"
#include "datastore/snapshot/resource_text.h"
#include "datastore/snapshot/snapshot_player.h"
#include "model/base/status_macros.h"

namespace felix::datastore {
namespace {

constexpr std::size_t kHeadBytes = 4096;
constexpr std::size_t kMaxPackedDatabase = std::size_t{8} << 30;

// A file's bytes without a copy of them.
class MappedFile {
 public:
  static absl::StatusOr<std::unique_ptr<MappedFile>> Open(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return absl::ErrnoToStatus(errno, "open");
    struct stat status = {};
    fstat(fd, &status);
    const auto size = static_cast<std::size_t>(status.st_size);
    void* const bytes = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    const int error = errno;
    close(fd);
    if (bytes == MAP_FAILED) return absl::ErrnoToStatus(error, "map");
    return std::unique_ptr<MappedFile>(new MappedFile(bytes, size));
  }
  ~MappedFile() { munmap(bytes_, size_); }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  [[nodiscard]] std::string_view bytes() const { return {static_cast<char*>(bytes_), size_}; }

 private:
  MappedFile(void* bytes, std::size_t size) : bytes_(bytes), size_(size) {}
  void* bytes_;
  std::size_t size_;
};

absl::Status AtPath(const std::string& path, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), fmt::format("{}: {}", path, std::string(status.message())));
}

absl::Status ReadResources(const std::string& path, ByteReader& reader, EventSink& sink) {
  absl::StatusOr<std::string> text = reader.ReadRest(kMaxTextBytes);
  if (!text.ok()) return AtPath(path, text.status());
  ResourceText read = ReadResourceText(path, *text);
  if (read.fault) {
    sink.OnDamage(read.fault->position, read.fault->reason);
    return absl::OkStatus();
  }
  sink.OnObjects(path, std::move(read.objects));
  return absl::OkStatus();
}

absl::Status ReadDatabase(const std::string& path, ByteReader& reader, EventSink& sink) {
  if (path != "-" && reader.packing().empty()) {
    const absl::StatusOr<std::unique_ptr<MappedFile>> file = MappedFile::Open(path);
    if (!file.ok()) return AtPath(path, file.status());
    return AtPath(path, ReadEtcdDatabase((*file)->bytes(), sink));
  }
  const absl::StatusOr<std::string> bytes = reader.ReadRest(kMaxPackedDatabase);
  if (!bytes.ok()) return AtPath(path, bytes.status());
  return AtPath(path, ReadEtcdDatabase(*bytes, sink));
}

absl::Status ReadFile(const std::string& path, EventSink& sink) {
  FELIX_ASSIGN_OR_RETURN(const std::unique_ptr<ByteReader> reader, ByteReader::Open(path));
  const std::string_view head = reader->Ahead(kHeadBytes);
  if (!reader->status().ok()) return AtPath(path, reader->status());
  absl::Status status;
  if (BoltFile::Looks(head)) {
    sink.BeginInput(path, "etcd database", reader->packing());
    status = ReadDatabase(path, *reader, sink);
  } else if (LooksLikeEtcdJson(head)) {
    sink.BeginInput(path, "etcd answers", reader->packing());
    status = AtPath(path, ReadEtcdJson(*reader, sink));
  } else if (LooksLikeRecording(head)) {
    sink.BeginInput(path, "recording", reader->packing());
    status = AtPath(path, ReadRecording(*reader, sink));
  } else {
    sink.BeginInput(path, "resources", reader->packing());
    if (sink.BeginStep({})) status = ReadResources(path, *reader, sink);
  }
  FELIX_RETURN_IF_ERROR(sink.EndInput());
  if (absl::IsDataLoss(status)) {
    // What was read until then counts, if that is enough for who asked.
    const std::string reason(status.message());
    sink.OnDamage({}, reason.starts_with(path + ": ") ? reason.substr(path.size() + 2) : reason);
    return sink.EndInput();
  }
  return status;
}

absl::Status ReadInput(const std::string& path, EventSink& sink) {
  std::error_code error;
  if (path == "-" || !std::filesystem::is_directory(path, error)) return ReadFile(path, sink);
  std::vector<std::string> files;
  using Walk = std::filesystem::recursive_directory_iterator;
  for (Walk walk(path, error); !error && walk != Walk(); walk.increment(error)) {
    const std::filesystem::directory_entry& entry = *walk;
    const std::string name = entry.path().filename();
    if (entry.is_directory(error)) {
      if (name.starts_with('.')) walk.disable_recursion_pending();
      continue;
    }
    const std::string extension = entry.path().extension();
    const bool is_resource = extension == ".yaml" || extension == ".yml" || extension == ".json";
    if (is_resource && !name.starts_with('.')) files.push_back(entry.path());
  }
  if (error) return absl::UnavailableError(fmt::format("list {}: {}", path, error.message()));
  std::sort(files.begin(), files.end());
  sink.BeginInput(path, "resources", "");
  if (!sink.BeginStep({})) return sink.EndInput();
  for (const std::string& file : files) {
    FELIX_ASSIGN_OR_RETURN(const std::unique_ptr<ByteReader> reader, ByteReader::Open(file));
    FELIX_RETURN_IF_ERROR(ReadResources(file, *reader, sink));
    FELIX_RETURN_IF_ERROR(sink.EndInput());
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadInputs(const std::vector<std::string>& paths, EventSink& sink) {
  for (const std::string& path : paths) FELIX_RETURN_IF_ERROR(ReadInput(path, sink));
  return absl::OkStatus();
}

absl::StatusOr<SnapshotFacts> ReadSnapshot(const std::vector<std::string>& paths,
                                           const SnapshotOptions& options,
                                           const OnSnapshotStep& on_step) {
  SnapshotPlayer player(options, on_step, paths.size() == 1);
  FELIX_RETURN_IF_ERROR(ReadInputs(paths, player));
  return player.Finish();
}

}  // namespace felix::datastore
