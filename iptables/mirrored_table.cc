// SPDX-License-Identifier: Apache-2.0
#include "iptables/mirrored_table.h"

#include <algorithm>
#include <utility>

#include "model/base/check.h"
#include "model/base/status_macros.h"
#include "model/base/strings.h"

namespace felix::iptables {

class MirroredTable::LibiptcSession final : public TableSession {
 public:
  LibiptcSession(MirroredTable& table, std::unique_ptr<TableSession> session)
      : table_(table), session_(std::move(session)) {}

  [[nodiscard]] const TableContent& content() const override { return session_->content(); }
  absl::Status Commit(const Transaction& transaction) override {
    table_.Doubt();
    FELIX_RETURN_IF_ERROR(session_->Commit(transaction));
    table_.in_doubt_ = false;
    return absl::OkStatus();
  }

 private:
  MirroredTable& table_;
  std::unique_ptr<TableSession> session_;
};

class MirroredTable::OwnSession final : public TableSession {
 public:
  OwnSession(MirroredTable& table, XtablesLock lock, TableContent content, bool is_excerpt)
      : table_(table),
        lock_(std::move(lock)),
        content_(std::move(content)),
        is_excerpt_(is_excerpt) {}

  [[nodiscard]] const TableContent& content() const override { return content_; }
  absl::Status Commit(const Transaction& transaction) override {
    FELIX_CHECK(!std::exchange(is_committed_, true), "a session commits once");
    absl::Status status = table_.Exchange(transaction);
    if (!status.ok()) table_.Doubt();
    return status;
  }
  [[nodiscard]] std::uint64_t revision() const override {
    return table_.blob_.has_value() ? table_.revision_ : 0;
  }
  [[nodiscard]] bool is_excerpt() const override { return is_excerpt_; }

 private:
  MirroredTable& table_;
  XtablesLock lock_;
  TableContent content_;
  bool is_excerpt_;
  bool is_committed_ = false;
};

absl::StatusOr<std::unique_ptr<TableSession>> MirroredTable::Open() {
  FELIX_ASSIGN_OR_RETURN(XtablesLock lock, XtablesLock::Acquire(lock_));
  if (in_doubt_) return OpenLibiptc(std::move(lock));
  if (absl::Status status = Load(); !status.ok()) {
    Doubt();
    return status;
  }
  if (!blob_.has_value()) return OpenLibiptc(std::move(lock));
  return OpenOwn(std::move(lock), nullptr);
}

absl::StatusOr<std::unique_ptr<TableSession>> MirroredTable::OpenKnown(const KnownTable& known) {
  if (!blob_.has_value() || known.revision != revision_) return Open();
  FELIX_ASSIGN_OR_RETURN(XtablesLock lock, XtablesLock::Acquire(lock_));
  FELIX_ASSIGN_OR_RETURN(const TableOutline outline, outlines_.Read(family_, table_));
  const std::optional<std::uint64_t> token = Token();
  const bool had_nobody_a_turn = token.has_value() && token == token_;
  const bool is_sure = had_nobody_a_turn && !others_ignore_the_lock_;
  if (is_sure && outline == blob_->outline && !known.must_read) {
    ++sessions_.not_read;
    return OpenOwn(std::move(lock), &known);
  }
  const absl::StatusOr<bool> is_same = IsStillSame(outline);
  if (!is_same.ok()) {
    Doubt();
    return is_same.status();
  }
  if (!*is_same) {
    others_ignore_the_lock_ = others_ignore_the_lock_ || had_nobody_a_turn;
    return OpenLibiptc(std::move(lock));
  }
  ++sessions_.read;
  token_ = token;
  return OpenOwn(std::move(lock), &known);
}

absl::StatusOr<std::unique_ptr<TableSession>> MirroredTable::OpenLibiptc(XtablesLock lock) {
  Doubt();
  ++sessions_.by_libiptc;
  FELIX_ASSIGN_OR_RETURN(std::unique_ptr<TableSession> session,
                         libiptc_.OpenLocked(std::move(lock)));
  in_doubt_ = false;
  return std::make_unique<LibiptcSession>(*this, std::move(session));
}

absl::StatusOr<std::unique_ptr<TableSession>> MirroredTable::OpenOwn(XtablesLock lock,
                                                                     const KnownTable* known) {
  absl::StatusOr<TableContent> content =
      known != nullptr ? ExcerptOf(*blob_, known->chains, known->named) : ContentOf(*blob_);
  if (!content.ok()) return OpenLibiptc(std::move(lock));
  return std::make_unique<OwnSession>(*this, std::move(lock), *std::move(content),
                                      known != nullptr);
}

absl::Status MirroredTable::Load() {
  if (blob_.has_value()) spare_ = std::move(blob_->buffer);
  blob_.reset();
  FELIX_ASSIGN_OR_RETURN(const TableOutline outline, outlines_.Read(family_, table_));
  if (!socket_.has_value()) {
    FELIX_ASSIGN_OR_RETURN(socket_, TableSocket::Open(family_, table_));
  }
  std::string buffer = std::exchange(spare_, {});
  buffer.assign(TableBlob::kRoom + outline.bytes, '\0');
  FELIX_RETURN_IF_ERROR(socket_->Read(outline, buffer));
  absl::StatusOr<TableBlob> blob = ParseBlob(family_, outline, std::move(buffer));
  if (!blob.ok()) return absl::OkStatus();
  ++sessions_.read;
  blob_ = *std::move(blob);
  ++revision_;
  token_ = Token();
  return absl::OkStatus();
}

absl::StatusOr<bool> MirroredTable::IsStillSame(const TableOutline& outline) {
  if (outline != blob_->outline) return false;
  // The kernel writes over all but what it leaves alone, so that this is the same as well.
  spare_ = blob_->buffer;
  FELIX_RETURN_IF_ERROR(socket_->Read(outline, spare_));
  return HoldsSameRules(*blob_, spare_);
}

void MirroredTable::Doubt() {
  in_doubt_ = true;
  blob_.reset();
  token_.reset();
}

std::optional<std::uint64_t> MirroredTable::Token() {
  return witness_ != nullptr ? witness_->Token() : std::nullopt;
}

absl::Status MirroredTable::Exchange(const Transaction& transaction) {
  const std::size_t entries_before = blob_->outline.entries;
  FELIX_ASSIGN_OR_RETURN(EditedBlob edited,
                         EditBlob(*std::move(blob_), transaction, std::exchange(spare_, {})));
  FELIX_RETURN_IF_ERROR(socket_->Replace(edited.blob, entries_before, counters_));
  spare_ = std::move(edited.former);
  blob_ = std::move(edited.blob);
  ++revision_;
  token_ = Token();
  return PutBack(edited.kept);
}

absl::Status MirroredTable::PutBack(const std::vector<KeptEntries>& kept) {
  if (std::all_of(counters_.begin(), counters_.end(),
                  [](const Counters& counters) { return counters == Counters(); })) {
    return absl::OkStatus();
  }
  std::vector<Counters> counters(blob_->outline.entries);
  for (const KeptEntries& run : kept) {
    std::copy_n(counters_.begin() + run.from, run.count, counters.begin() + run.to);
  }
  const absl::Status status = socket_->AddCounters(counters);
  // The rules are there. Who interfered was not waiting for the lock: look again.
  return status.ok() ? status : absl::AbortedError(ToAbsl(ToStd(status.message())));
}

}  // namespace felix::iptables
