// SPDX-License-Identifier: Apache-2.0
#include "datastore/snapshot/recording.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "fmt/format.h"

#include "datastore/resource_document.h"
#include "datastore/snapshot/resource_text.h"
#include "model/base/strings.h"

namespace felix::datastore {
namespace {

class RecordingReader {
 public:
  explicit RecordingReader(EventSink& sink) : sink_(sink) {}

  // Why the line cannot be understood, or nothing.
  std::optional<std::string> Line(const DocumentNode& line) {
    const std::string kind = Text(line, "t");
    if (kind == "meta") {
      EndListing();
      unseen_keys_ = std::exchange(keys_, {});
      unseen_files_ = std::exchange(files_, {});
      listing_ = true;
    } else if (kind == "step") {
      return Step(line);
    } else if (kind == "set") {
      const std::string key = Text(line, "k");
      if (key.empty()) return "a value without a key";
      keys_.insert(key);
      unseen_keys_.erase(key);
      sink_.OnValue(key, Text(line, "v"));
    } else if (kind == "del") {
      keys_.erase(Text(line, "k"));
      sink_.OnRemoval(Text(line, "k"));
    } else if (kind == "file") {
      return File(Text(line, "f"), Text(line, "v"));
    } else if (kind == "gone") {
      files_.erase(Text(line, "f"));
      sink_.OnObjects(Text(line, "f"), {});
    } else if (kind == "iface") {
      return Interface(line);
    } else if (kind == "commit") {
      Commit(line);
    }
    return std::nullopt;
  }
  // There are no more lines.
  void Finish() {
    if (!listing_) EndListing();
  }
  [[nodiscard]] bool enough() const { return enough_; }

 private:
  static std::string Text(const DocumentNode& line, std::string_view name) {
    const DocumentNode* member = line.Find(name);
    return member != nullptr && member->kind() == DocumentNode::Kind::kString ? member->string()
                                                                              : std::string();
  }
  static std::int64_t Number(const DocumentNode& line, std::string_view name) {
    const DocumentNode* member = line.Find(name);
    return member != nullptr && member->kind() == DocumentNode::Kind::kInteger ? member->integer()
                                                                               : 0;
  }

  std::optional<std::string> Step(const DocumentNode& line) {
    if (!std::exchange(listing_, false)) EndListing();
    Moment moment;
    moment.revision = Number(line, "rev");
    absl::Time time;
    std::string error;
    if (!absl::ParseTime(absl::RFC3339_full, Text(line, "ts"), &time, &error)) {
      return "a step without a time";
    }
    moment.time = time;
    enough_ = !sink_.BeginStep(moment);
    return std::nullopt;
  }

  // What the first step behind a start did not tell again went while nobody recorded.
  void EndListing() {
    for (const std::string& key : std::exchange(unseen_keys_, {})) sink_.OnRemoval(key);
    for (const std::string& file : std::exchange(unseen_files_, {})) sink_.OnObjects(file, {});
  }

  std::optional<std::string> File(const std::string& file, const std::string& text) {
    files_.insert(file);
    unseen_files_.erase(file);
    ResourceText read = ReadResourceText(file, text);
    // What such a file defined before stays, as it did there.
    if (!read.fault) sink_.OnObjects(file, std::move(read.objects));
    return std::nullopt;
  }

  std::optional<std::string> Interface(const DocumentNode& line) {
    std::optional<std::vector<model::IpAddress>> addresses;
    if (const DocumentNode* list = line.Find("addrs")) {
      addresses.emplace();
      for (const DocumentNode& text : list->children()) {
        const auto address = model::IpAddress::Parse(text.string());
        if (!address.ok()) return "an address that is none";
        addresses->push_back(*address);
      }
    }
    sink_.OnInterface(Text(line, "name"), std::move(addresses));
    return std::nullopt;
  }

  void Commit(const DocumentNode& line) {
    const DocumentNode* times = line.Find("us");
    if (times == nullptr) return;
    CommitTimes commit;
    commit.compile = static_cast<std::uint64_t>(Number(*times, "compile"));
    commit.sets = static_cast<std::uint64_t>(Number(*times, "sets"));
    commit.tables = static_cast<std::uint64_t>(Number(*times, "tables"));
    commit.total = static_cast<std::uint64_t>(Number(*times, "total"));
    sink_.OnCommit(commit);
  }

  EventSink& sink_;
  bool enough_ = false;
  bool listing_ = false;
  std::set<std::string> keys_;
  std::set<std::string> files_;
  std::set<std::string> unseen_keys_;
  std::set<std::string> unseen_files_;
};

}  // namespace

bool LooksLikeRecording(std::string_view head) {
  return head.starts_with(R"({"t":"meta")");
}

absl::Status ReadRecording(ByteReader& reader, EventSink& sink) {
  RecordingReader recording(sink);
  while (!recording.enough()) {
    const Position position = reader.position();
    std::optional<std::string> line = reader.ReadLine(kMaxTextBytes);
    if (!line) {
      recording.Finish();
      return reader.status();
    }
    const ParsedText parsed = ParseJson(*line);
    std::optional<std::string> fault;
    if (parsed.fault) {
      fault = parsed.fault->reason;
    } else if (parsed.documents.size() == 1 &&
               parsed.documents[0].kind() == DocumentNode::Kind::kObject) {
      fault = recording.Line(parsed.documents[0]);
    } else {
      fault = "not an object";
    }
    if (fault && !sink.OnDamage(position, *fault)) return absl::OkStatus();
  }
  return absl::OkStatus();
}

}  // namespace felix::datastore
