// SPDX-License-Identifier: Apache-2.0
#include "ipset/libipset_sets.h"

#include <arpa/inet.h>

#include <array>
#include <cstdint>
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
#include "model/base/overloaded.h"
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

  absl::Status Create(const CreateSet& create);
  // `command` is ADD or DEL.
  absl::Status ChangeMembers(enum ipset_cmd command, const std::string& name, ir::SetKind kind,
                             model::IpFamily family, std::span<const ir::SetMember> members);
  absl::Status Swap(const SwapSets& swap);
  absl::Status Destroy(const DestroySet& destroy);

 private:
  struct Failure {
    absl::StatusCode code = absl::StatusCode::kUnavailable;
    std::string text;
    std::size_t line = 0;  // 0 if the error belongs to no line
  };

  absl::Status Open();
  void Close();
  template <typename T>
  void Set(enum ipset_opt option, const T* value) {
    const int result = ipset_data_set(ipset_session_data(session_), option, value);
    FELIX_CHECK(result == 0, "libipset refuses an option that it knows");
  }
  void SetMemberData(const std::string& name, ir::SetKind kind, std::uint8_t family,
                     const struct ipset_type* type, const ir::SetMember& member);
  // The type's description; the first call for a kind and family asks the kernel.
  absl::StatusOr<const struct ipset_type*> Type(ir::SetKind kind, model::IpFamily family);
  Failure TakeFailure();
  // Sends what is set, waits for the answer.
  absl::Status Command(enum ipset_cmd command, const std::string& what);

  struct ipset_session* session_ = nullptr;
  std::array<std::array<const struct ipset_type*, 2>, 2> types_{};
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
  constexpr std::string_view kLinePrefix = "Error in line ";
  if (text.starts_with(kLinePrefix)) {
    text.remove_prefix(kLinePrefix.size());
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
      failure.line = failure.line * 10 + static_cast<std::size_t>(text.front() - '0');
      text.remove_prefix(1);
    }
    if (text.starts_with(": ")) text.remove_prefix(2);
  }
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

absl::StatusOr<const struct ipset_type*> LibipsetSets::Session::Type(ir::SetKind kind,
                                                                     model::IpFamily family) {
  const struct ipset_type*& type =
      types_.at(static_cast<std::size_t>(kind)).at(family == model::IpFamily::kV4 ? 0 : 1);
  if (type != nullptr) return type;
  const std::string name(TypeName(kind));
  const std::uint8_t netfilter_family = NetfilterFamily(family);
  Set(IPSET_OPT_TYPENAME, name.c_str());
  Set(IPSET_OPT_FAMILY, &netfilter_family);
  type = ipset_type_get(session_, IPSET_CMD_CREATE);
  if (type == nullptr) {
    const Failure failure = TakeFailure();
    return absl::Status(failure.code, fmt::format("set type {}: {}", name, failure.text));
  }
  ipset_data_reset(ipset_session_data(session_));
  // A kernel older than the library is good enough for us, but leaves a warning behind.
  ipset_session_report_reset(session_);
  return type;
}

absl::Status LibipsetSets::Session::Create(const CreateSet& create) {
  FELIX_RETURN_IF_ERROR(Open());
  FELIX_ASSIGN_OR_RETURN(const struct ipset_type* type, Type(create.kind, create.family));
  ipset_envopt_unset(session_, IPSET_ENV_EXIST);
  const std::string type_name(TypeName(create.kind));
  const std::uint8_t family = NetfilterFamily(create.family);
  Set(IPSET_SETNAME, create.name.c_str());
  Set(IPSET_OPT_TYPENAME, type_name.c_str());
  Set(IPSET_OPT_FAMILY, &family);
  Set(IPSET_OPT_TYPE, type);
  Set(IPSET_OPT_HASHSIZE, &create.hash_size);
  Set(IPSET_OPT_MAXELEM, &create.max_members);
  return Command(IPSET_CMD_CREATE, fmt::format("creating set {}", create.name));
}

void LibipsetSets::Session::SetMemberData(const std::string& name, ir::SetKind kind,
                                          std::uint8_t family, const struct ipset_type* type,
                                          const ir::SetMember& member) {
  Set(IPSET_SETNAME, name.c_str());
  Set(IPSET_OPT_FAMILY, &family);
  Set(IPSET_OPT_TYPE, type);
  Set(IPSET_OPT_IP, member.net.address().bytes().data());
  if (kind == ir::SetKind::kNet) {
    const auto length = static_cast<std::uint8_t>(member.net.prefix_length());
    Set(IPSET_OPT_CIDR, &length);
    return;
  }
  Set(IPSET_OPT_PROTO, &member.protocol.number);
  Set(IPSET_OPT_PORT, &member.port);
}

absl::Status LibipsetSets::Session::ChangeMembers(enum ipset_cmd command, const std::string& name,
                                                  ir::SetKind kind, model::IpFamily family,
                                                  std::span<const ir::SetMember> members) {
  FELIX_RETURN_IF_ERROR(Open());
  // Told for each member, so that the library does not ask the kernel for the set's type each time.
  FELIX_ASSIGN_OR_RETURN(const struct ipset_type* type, Type(kind, family));
  ipset_envopt_set(session_, IPSET_ENV_EXIST);
  std::size_t sent = 0;
  int result = 0;
  while (result >= 0 && sent < members.size()) {
    const ir::SetMember& member = members[sent];
    FELIX_CHECK(member.net.family() == family, "a member of the other family");
    SetMemberData(name, kind, NetfilterFamily(family), type, member);
    // A line number other than zero lets the library gather members into one message.
    ++sent;
    result = ipset_cmd(session_, command, static_cast<std::uint32_t>(sent));
  }
  if (result >= 0) result = ipset_commit(session_);
  if (result >= 0) return absl::OkStatus();
  const Failure failure = TakeFailure();
  const std::string_view verb = command == IPSET_CMD_ADD ? "adding" : "deleting";
  if (failure.line == 0 || failure.line > members.size()) {
    return {failure.code, fmt::format("{} members of set {}: {}", verb, name, failure.text)};
  }
  return {failure.code, fmt::format("{} {} of set {}: {}", verb,
                                    members[failure.line - 1].ToString(), name, failure.text)};
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

LibipsetSets::LibipsetSets(std::unique_ptr<SetReader> reader, std::unique_ptr<Session> session)
    : reader_(std::move(reader)), session_(std::move(session)) {}

LibipsetSets::~LibipsetSets() = default;

absl::StatusOr<std::unique_ptr<LibipsetSets>> LibipsetSets::Open() {
  FELIX_ASSIGN_OR_RETURN(std::unique_ptr<SetReader> reader, SetReader::Open());
  FELIX_RETURN_IF_ERROR(reader->ProtocolVersions().status());
  return std::unique_ptr<LibipsetSets>(
      new LibipsetSets(std::move(reader), std::make_unique<Session>()));
}

absl::StatusOr<std::vector<std::string>> LibipsetSets::ListNames() {
  return reader_->ListNames();
}

absl::StatusOr<std::optional<SetContent>> LibipsetSets::Read(const std::string& name) {
  return reader_->Read(name);
}

absl::Status LibipsetSets::Execute(std::span<const Operation> operations) {
  for (const Operation& operation : operations) {
    FELIX_RETURN_IF_ERROR(
        std::visit([](const auto& any) { return CheckName(any.name); }, operation));
    FELIX_RETURN_IF_ERROR(
        std::visit(Overloaded{
                       [&](const CreateSet& create) { return session_->Create(create); },
                       [&](const AddMembers& add) {
                         return session_->ChangeMembers(IPSET_CMD_ADD, add.name, add.kind,
                                                        add.family, add.members);
                       },
                       [&](const DeleteMembers& del) {
                         return session_->ChangeMembers(IPSET_CMD_DEL, del.name, del.kind,
                                                        del.family, del.members);
                       },
                       [&](const SwapSets& swap) { return session_->Swap(swap); },
                       [&](const DestroySet& destroy) { return session_->Destroy(destroy); },
                   },
                   operation));
  }
  return absl::OkStatus();
}

}  // namespace felix::ipset
