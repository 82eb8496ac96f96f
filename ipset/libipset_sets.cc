// SPDX-License-Identifier: Apache-2.0
#include "ipset/libipset_sets.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string_view>
#include <utility>

extern "C" {
#include "libipset/data.h"
#include "libipset/linux_ip_set.h"
#include "libipset/session.h"
#include "libipset/types.h"
}

#include "fmt/format.h"

#include "ipset/set_name.h"
#include "model/base/check.h"
#include "model/base/status_macros.h"

namespace felix::ipset {
namespace {

// The library tells errors by text only. The texts are those of libipset's errcode.c, the codes
// those that KernelSets promises.
struct KnownError {
  std::string_view text;
  absl::StatusCode code;
};
constexpr std::array kKnownErrors = {
    KnownError{"Hash is full", absl::StatusCode::kResourceExhausted},
    KnownError{"maximal number of sets reached", absl::StatusCode::kResourceExhausted},
    KnownError{"set with the given name does not exist", absl::StatusCode::kNotFound},
    KnownError{"the second set does not exist", absl::StatusCode::kNotFound},
    KnownError{"set with the same name already exists", absl::StatusCode::kAlreadyExists},
    KnownError{"it is in use by a kernel component", absl::StatusCode::kFailedPrecondition},
    KnownError{"their type does not match", absl::StatusCode::kFailedPrecondition},
    KnownError{"unknown settype", absl::StatusCode::kFailedPrecondition},
    KnownError{"set type not supported", absl::StatusCode::kFailedPrecondition},
    KnownError{"ipset protocol error", absl::StatusCode::kFailedPrecondition},
    KnownError{"CIDR parameter", absl::StatusCode::kInvalidArgument},
    KnownError{"Operation not permitted", absl::StatusCode::kPermissionDenied},
    KnownError{"Permission denied", absl::StatusCode::kPermissionDenied},
};

absl::StatusCode CodeOf(std::string_view text) {
  for (const KnownError& known : kKnownErrors) {
    if (text.find(known.text) != std::string_view::npos) return known.code;
  }
  return absl::StatusCode::kUnavailable;
}

std::uint8_t NetfilterFamily(model::IpFamily family) {
  return family == model::IpFamily::kV4 ? AF_INET : AF_INET6;
}

// The library would cut longer names and go on with what is left.
absl::Status CheckName(const std::string& name) {
  if (!name.empty() && name.size() <= kMaxSetNameLength) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("set name {}: must have 1 to {} bytes", name, kMaxSetNameLength));
}

// As many as one message may have: the kernel's lock is to be free again soon.
constexpr std::size_t kMembersTogether = MemberWriter::kMembersPerMessage;

std::size_t MembersOf(const Operation& operation) {
  return std::visit(
      [](const auto& any) -> std::size_t {
        if constexpr (requires { any.members; }) {
          return any.members.size();
        } else {
          return 0;
        }
      },
      operation);
}

// The session prints only when it lists, which we never ask of it.
int PrintNothing(struct ipset_session* /*session*/, void* /*closure*/, const char* /*format*/,
                 ...) {
  return 0;
}

}  // namespace

// One libipset session. After an error the library may be out of step with its socket, and
// elements may lie in its buffer; it is then closed, and opened again at the next command.
class LibipsetSets::Session {
 public:
  Session() = default;
  ~Session() { Close(); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  struct Parameters {
    std::string_view type;
    model::IpFamily family;
    std::uint32_t hash_size;
    std::uint32_t max_members;
    bool with_marks_and_counters = false;
  };
  absl::Status Create(const std::string& name, const Parameters& parameters);
  absl::Status Swap(const SwapSets& swap);
  absl::Status Destroy(const DestroySet& destroy);

 private:
  struct Failure {
    absl::StatusCode code = absl::StatusCode::kUnavailable;
    std::string text;
  };

  absl::Status Open();
  void Close();
  template <typename T>
  void Set(enum ipset_opt option, const T* value) {
    const int result = ipset_data_set(ipset_session_data(session_), option, value);
    FELIX_CHECK(result == 0, "libipset refuses an option that it knows");
  }
  // The type's description; the first call for a kind and family asks the kernel.
  absl::StatusOr<const struct ipset_type*> Type(std::string_view name, model::IpFamily family);
  Failure TakeFailure();
  // Sends what is set, waits for the answer.
  absl::Status Command(enum ipset_cmd command, const std::string& what);

  struct ipset_session* session_ = nullptr;
  std::map<std::pair<std::string, model::IpFamily>, const struct ipset_type*> types_;
};

absl::Status LibipsetSets::Session::Open() {
  if (session_ != nullptr) return absl::OkStatus();
  static const bool loaded = [] {
    ipset_load_types();
    return true;
  }();
  static_cast<void>(loaded);
  session_ = ipset_session_init(PrintNothing, nullptr);
  if (session_ == nullptr) return absl::UnavailableError("opening a libipset session: no memory");
  return absl::OkStatus();
}

void LibipsetSets::Session::Close() {
  if (session_ == nullptr) return;
  ipset_session_fini(session_);
  session_ = nullptr;
}

LibipsetSets::Session::Failure LibipsetSets::Session::TakeFailure() {
  Failure failure;
  std::string_view text = ipset_session_report_msg(session_);
  text = text.substr(0, text.find('\n'));
  failure.code = CodeOf(text);
  failure.text = text.empty() ? "unknown error" : std::string(text);
  Close();
  return failure;
}

absl::Status LibipsetSets::Session::Command(enum ipset_cmd command, const std::string& what) {
  if (ipset_cmd(session_, command, 0) >= 0) return absl::OkStatus();
  const Failure failure = TakeFailure();
  return {failure.code, fmt::format("{}: {}", what, failure.text)};
}

absl::StatusOr<const struct ipset_type*> LibipsetSets::Session::Type(std::string_view name,
                                                                     model::IpFamily family) {
  const std::string type_name(name);
  const struct ipset_type*& type = types_[{type_name, family}];
  if (type != nullptr) return type;
  const std::uint8_t netfilter_family = NetfilterFamily(family);
  Set(IPSET_OPT_TYPENAME, type_name.c_str());
  Set(IPSET_OPT_FAMILY, &netfilter_family);
  type = ipset_type_get(session_, IPSET_CMD_CREATE);
  if (type == nullptr) {
    const Failure failure = TakeFailure();
    return absl::Status(failure.code, fmt::format("set type {}: {}", name, failure.text));
  }
  return type;
}

absl::Status LibipsetSets::Session::Create(const std::string& name, const Parameters& parameters) {
  FELIX_RETURN_IF_ERROR(Open());
  FELIX_ASSIGN_OR_RETURN(const struct ipset_type* type, Type(parameters.type, parameters.family));
  ipset_envopt_unset(session_, IPSET_ENV_EXIST);
  const std::string type_name(parameters.type);
  const std::uint8_t family = NetfilterFamily(parameters.family);
  Set(IPSET_SETNAME, name.c_str());
  Set(IPSET_OPT_TYPENAME, type_name.c_str());
  Set(IPSET_OPT_FAMILY, &family);
  Set(IPSET_OPT_TYPE, type);
  Set(IPSET_OPT_HASHSIZE, &parameters.hash_size);
  Set(IPSET_OPT_MAXELEM, &parameters.max_members);
  if (parameters.with_marks_and_counters) {
    const std::uint32_t on = 1;
    Set(IPSET_OPT_SKBINFO, &on);
    Set(IPSET_OPT_COUNTERS, &on);
  }
  const absl::Status status = Command(IPSET_CMD_CREATE, fmt::format("creating set {}", name));
  // The library remembers the type of every set that it made, in a list which it walks at each
  // creation and destruction. It needs that for members only, which do not go through it.
  ipset_cache_fini();
  return status;
}

absl::Status LibipsetSets::Session::Swap(const SwapSets& swap) {
  FELIX_RETURN_IF_ERROR(Open());
  FELIX_RETURN_IF_ERROR(CheckName(swap.other));
  Set(IPSET_SETNAME, swap.name.c_str());
  Set(IPSET_OPT_SETNAME2, swap.other.c_str());
  return Command(IPSET_CMD_SWAP, fmt::format("swapping sets {} and {}", swap.name, swap.other));
}

absl::Status LibipsetSets::Session::Destroy(const DestroySet& destroy) {
  FELIX_RETURN_IF_ERROR(Open());
  ipset_envopt_unset(session_, IPSET_ENV_EXIST);
  Set(IPSET_SETNAME, destroy.name.c_str());
  return Command(IPSET_CMD_DESTROY, fmt::format("destroying set {}", destroy.name));
}

LibipsetSets::LibipsetSets(std::unique_ptr<SetReader> reader, std::unique_ptr<MemberWriter> writer,
                           std::unique_ptr<Session> session)
    : reader_(std::move(reader)), writer_(std::move(writer)), session_(std::move(session)) {}

LibipsetSets::~LibipsetSets() = default;

absl::StatusOr<std::unique_ptr<LibipsetSets>> LibipsetSets::Open() {
  FELIX_ASSIGN_OR_RETURN(std::unique_ptr<SetReader> reader, SetReader::Open());
  FELIX_RETURN_IF_ERROR(reader->ProtocolVersions().status());
  FELIX_ASSIGN_OR_RETURN(std::unique_ptr<MemberWriter> writer, MemberWriter::Open());
  return std::unique_ptr<LibipsetSets>(
      new LibipsetSets(std::move(reader), std::move(writer), std::make_unique<Session>()));
}

absl::StatusOr<std::vector<std::string>> LibipsetSets::ListNames() {
  return reader_->ListNames();
}

absl::StatusOr<std::optional<SetContent>> LibipsetSets::Read(const std::string& name) {
  return reader_->Read(name);
}

absl::StatusOr<std::vector<SetHeader>> LibipsetSets::ListHeaders() {
  return reader_->ListHeaders();
}

absl::StatusOr<Portion> LibipsetSets::ReadPortion(const std::string& name) {
  if (portions_ != nullptr && !portions_->portions_of().empty() &&
      portions_->portions_of() != name) {
    EndPortions();
  }
  if (portions_ == nullptr) {
    FELIX_ASSIGN_OR_RETURN(portions_, SetReader::Open());
  }
  absl::StatusOr<Portion> portion = portions_->ReadPortion(name);
  if (!portion.ok()) EndPortions();
  return portion;
}

void LibipsetSets::EndPortions() {
  // Closing its socket is how the kernel learns that nobody waits for the rest.
  if (portions_ != nullptr && !portions_->portions_of().empty()) portions_.reset();
}

void LibipsetSets::YieldTo(const std::string& name) {
  if (portions_ != nullptr && portions_->portions_of() == name) portions_.reset();
}

std::size_t LibipsetSets::CountTogether(std::span<const Operation> operations) const {
  std::size_t count = 0;
  std::size_t members = 0;
  for (const Operation& operation : operations) {
    if (count == MemberWriter::kMessagesPerBurst) break;
    if (!MemberWriter::CanWriteTogether(operation)) break;
    if (!std::visit([](const auto& any) { return CheckName(any.name).ok(); }, operation)) break;
    members += MembersOf(operation);
    if (members > kMembersTogether) break;
    ++count;
  }
  return count < 2 ? 0 : count;
}

absl::Status LibipsetSets::Execute(std::span<const Operation> operations) {
  while (!operations.empty()) {
    const std::size_t together = CountTogether(operations);
    if (together != 0 && writer_->WriteTogether(operations.first(together)).ok()) {
      operations = operations.subspan(together);
      continue;
    }
    // One by one, also to find out which of them cannot be done. Doing it again does no harm.
    for (const Operation& operation : operations.first(std::max<std::size_t>(together, 1))) {
      FELIX_RETURN_IF_ERROR(
          std::visit([](const auto& any) { return CheckName(any.name); }, operation));
      FELIX_RETURN_IF_ERROR(std::visit([&](const auto& any) { return Do(any); }, operation));
    }
    operations = operations.subspan(std::max<std::size_t>(together, 1));
  }
  return absl::OkStatus();
}

absl::Status LibipsetSets::Do(const CreateSet& create) {
  return session_->Create(
      create.name, {TypeName(create.kind), create.family, create.hash_size, create.max_members});
}

absl::Status LibipsetSets::Do(const CreateInterfaceSet& create) {
  return session_->Create(
      create.name, {kInterfaceTypeName, create.family, create.hash_size, create.max_members, true});
}

absl::Status LibipsetSets::Do(const AddMembers& add) {
  return writer_->Write(MemberCommand::kAdd, add.name, add.family, add.members, add.kind, pace_);
}

absl::Status LibipsetSets::Do(const DeleteMembers& del) {
  return writer_->Write(MemberCommand::kDelete, del.name, del.family, del.members, del.kind, pace_);
}

absl::Status LibipsetSets::Do(const AddInterfaceMembers& add) {
  return writer_->Write(MemberCommand::kAdd, add.name, add.family, add.members, pace_);
}

absl::Status LibipsetSets::Do(const DeleteInterfaceMembers& del) {
  return writer_->Write(MemberCommand::kDelete, del.name, del.family, del.members, pace_);
}

absl::Status LibipsetSets::Do(const SwapSets& swap) {
  YieldTo(swap.name);
  YieldTo(swap.other);
  return session_->Swap(swap);
}

absl::Status LibipsetSets::Do(const DestroySet& destroy) {
  YieldTo(destroy.name);
  return session_->Destroy(destroy);
}

}  // namespace felix::ipset
