// SPDX-License-Identifier: Apache-2.0
#include "iptables/libiptc_table.h"

#include <libiptc/libiptc.h>
extern "C" {
#include <libiptc/libip6tc.h>
}

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "fmt/format.h"

#include "iptables/errno_status.h"
#include "iptables/rule_codec.h"
#include "model/base/check.h"
#include "model/base/overloaded.h"
#include "model/base/status_macros.h"
#include "model/base/strings.h"

namespace felix::iptables {
namespace {

struct V4 {
  using Entry = ipt_entry;
  static constexpr auto kFamily = model::IpFamily::kV4;
  static constexpr auto kInit = iptc_init;
  static constexpr auto kFree = iptc_free;
  static constexpr auto kFirstChain = iptc_first_chain;
  static constexpr auto kNextChain = iptc_next_chain;
  static constexpr auto kFirstRule = iptc_first_rule;
  static constexpr auto kNextRule = iptc_next_rule;
  static constexpr auto kGetTarget = iptc_get_target;
  static constexpr auto kIsBuiltin = iptc_builtin;
  static constexpr auto kGetPolicy = iptc_get_policy;
  static constexpr auto kIsChain = iptc_is_chain;
  static constexpr auto kCreateChain = iptc_create_chain;
  static constexpr auto kInsertEntry = iptc_insert_entry;
  static constexpr auto kReplaceEntry = iptc_replace_entry;
  static constexpr auto kDeleteEntry = iptc_delete_num_entry;
  static constexpr auto kFlushChain = iptc_flush_entries;
  static constexpr auto kDeleteChain = iptc_delete_chain;
  static constexpr auto kCommit = iptc_commit;
};

struct V6 {
  using Entry = ip6t_entry;
  static constexpr auto kFamily = model::IpFamily::kV6;
  static constexpr auto kInit = ip6tc_init;
  static constexpr auto kFree = ip6tc_free;
  static constexpr auto kFirstChain = ip6tc_first_chain;
  static constexpr auto kNextChain = ip6tc_next_chain;
  static constexpr auto kFirstRule = ip6tc_first_rule;
  static constexpr auto kNextRule = ip6tc_next_rule;
  static constexpr auto kGetTarget = ip6tc_get_target;
  static constexpr auto kIsBuiltin = ip6tc_builtin;
  static constexpr auto kGetPolicy = ip6tc_get_policy;
  static constexpr auto kIsChain = ip6tc_is_chain;
  static constexpr auto kCreateChain = ip6tc_create_chain;
  static constexpr auto kInsertEntry = ip6tc_insert_entry;
  static constexpr auto kReplaceEntry = ip6tc_replace_entry;
  static constexpr auto kDeleteEntry = ip6tc_delete_num_entry;
  static constexpr auto kFlushChain = ip6tc_flush_entries;
  static constexpr auto kDeleteChain = ip6tc_delete_chain;
  static constexpr auto kCommit = ip6tc_commit;
};

template <typename Api>
struct FreeHandle {
  void operator()(xtc_handle* handle) const { Api::kFree(handle); }
};
template <typename Api>
using Handle = std::unique_ptr<xtc_handle, FreeHandle<Api>>;

template <typename Api>
absl::StatusOr<TableContent> Read(xtc_handle* handle) {
  TableContent content;
  for (const char* name = Api::kFirstChain(handle); name != nullptr;
       name = Api::kNextChain(handle)) {
    KernelChain& chain = content.chains.emplace_back();
    chain.name = name;
    chain.is_builtin = Api::kIsBuiltin(name, handle) != 0;
    if (chain.is_builtin) {
      xt_counters counters{};
      const char* policy = Api::kGetPolicy(name, &counters, handle);
      if (policy != nullptr) chain.policy = policy;
    }
    for (const auto* entry = Api::kFirstRule(name, handle); entry != nullptr;
         entry = Api::kNextRule(entry, handle)) {
      const char* target = Api::kGetTarget(entry, handle);
      FELIX_ASSIGN_OR_RETURN(EncodedRule rule,
                             Normalise({reinterpret_cast<const char*>(entry), entry->next_offset},
                                       target != nullptr ? target : "", Api::kFamily));
      chain.rules.push_back(
          KernelRule{.rule = std::move(rule),
                     .counters = {.packets = entry->counters.pcnt, .bytes = entry->counters.bcnt}});
    }
  }
  return content;
}

template <typename Api>
class Session final : public TableSession {
 public:
  Session(XtablesLock lock, Handle<Api> handle, TableContent content)
      : lock_(std::move(lock)), handle_(std::move(handle)), content_(std::move(content)) {}

  [[nodiscard]] const TableContent& content() const override { return content_; }

  absl::Status Commit(const Transaction& transaction) override {
    FELIX_CHECK(handle_ != nullptr, "a session commits once");
    // A handle is dead after a commit, and after a failure that left it half changed.
    const Handle<Api> handle = std::move(handle_);
    for (const Operation& operation : transaction.operations) {
      FELIX_RETURN_IF_ERROR(
          std::visit([&](const auto& op) { return Execute(op, handle.get()); }, operation));
    }
    if (Api::kCommit(handle.get()) != 0) return absl::OkStatus();
    return CommitFailure(errno);
  }

 private:
  static absl::Status Result(int success, std::string_view act, const std::string& chain) {
    if (success != 0) return absl::OkStatus();
    const int error = errno;
    return FailureOf(error, fmt::format("{} {}", act, chain));
  }

  static absl::Status Execute(const CreateChain& op, xtc_handle* handle) {
    return Result(Api::kCreateChain(op.chain.c_str(), handle), "creating chain", op.chain);
  }
  static absl::Status Execute(const InsertRule& op, xtc_handle* handle) {
    FELIX_RETURN_IF_ERROR(CheckTarget(op.chain, op.rule, handle));
    return Result(Api::kInsertEntry(op.chain.c_str(), Entry(op.rule),
                                    static_cast<unsigned>(op.position), handle),
                  "inserting a rule into chain", op.chain);
  }
  static absl::Status Execute(const ReplaceRule& op, xtc_handle* handle) {
    FELIX_RETURN_IF_ERROR(CheckTarget(op.chain, op.rule, handle));
    return Result(Api::kReplaceEntry(op.chain.c_str(), Entry(op.rule),
                                     static_cast<unsigned>(op.position), handle),
                  "replacing a rule of chain", op.chain);
  }
  static absl::Status Execute(const DeleteRule& op, xtc_handle* handle) {
    return Result(Api::kDeleteEntry(op.chain.c_str(), static_cast<unsigned>(op.position), handle),
                  "deleting a rule of chain", op.chain);
  }
  static absl::Status Execute(const FlushChain& op, xtc_handle* handle) {
    return Result(Api::kFlushChain(op.chain.c_str(), handle), "flushing chain", op.chain);
  }
  static absl::Status Execute(const DeleteChain& op, xtc_handle* handle) {
    return Result(Api::kDeleteChain(op.chain.c_str(), handle), "deleting chain", op.chain);
  }

  // libiptc takes a name for a chain's if there is such a chain, and for an extension's if not; it
  // would find out about neither mistake before the kernel does, and the kernel does not say where.
  static absl::Status CheckTarget(const std::string& chain, const EncodedRule& rule,
                                  xtc_handle* handle) {
    if (IsStandardVerdict(rule)) return absl::OkStatus();
    const bool is_chain = Api::kIsChain(rule.target.c_str(), handle) != 0;
    if (rule.is_jump && !is_chain) {
      return absl::InvalidArgumentError(
          fmt::format("chain {} jumps to missing chain {}", chain, rule.target));
    }
    if (!rule.is_jump && is_chain) {
      return absl::FailedPreconditionError(
          fmt::format("a chain bears the name of the target {}", rule.target));
    }
    return absl::OkStatus();
  }
  static bool IsStandardVerdict(const EncodedRule& rule) {
    return !rule.is_jump && (rule.target == "ACCEPT" || rule.target == "DROP" ||
                             rule.target == "RETURN" || rule.target == "QUEUE");
  }

  static const typename Api::Entry* Entry(const EncodedRule& rule) {
    return reinterpret_cast<const typename Api::Entry*>(rule.bytes.data());
  }

  XtablesLock lock_;
  Handle<Api> handle_;
  TableContent content_;
};

template <typename Api>
absl::StatusOr<std::unique_ptr<TableSession>> OpenSession(std::string_view table,
                                                          XtablesLock lock) {
  errno = 0;
  Handle<Api> handle(Api::kInit(std::string(table).c_str()));
  if (handle == nullptr) {
    const int error = errno;
    return FailureOf(
        error, fmt::format("reading table {} of {}", table,
                           Api::kFamily == model::IpFamily::kV4 ? "ip_tables" : "ip6_tables"));
  }
  FELIX_ASSIGN_OR_RETURN(TableContent content, Read<Api>(handle.get()));
  return std::make_unique<Session<Api>>(std::move(lock), std::move(handle), std::move(content));
}

}  // namespace

absl::StatusOr<std::unique_ptr<TableSession>> LibiptcTable::Open() {
  FELIX_ASSIGN_OR_RETURN(XtablesLock lock, XtablesLock::Acquire(lock_));
  return OpenLocked(std::move(lock));
}

absl::StatusOr<std::unique_ptr<TableSession>> LibiptcTable::OpenLocked(XtablesLock lock) const {
  const std::string_view table = ir::TableName(table_);
  return family_ == model::IpFamily::kV4 ? OpenSession<V4>(table, std::move(lock))
                                         : OpenSession<V6>(table, std::move(lock));
}

}  // namespace felix::iptables
