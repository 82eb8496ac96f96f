// SPDX-License-Identifier: Apache-2.0
#include "ipset/kernel_sets.h"

#include "fmt/format.h"

#include "model/base/overloaded.h"

namespace felix::ipset {
namespace {

template <typename Member>
std::vector<std::string> MemberLines(std::string_view verb, std::string_view name,
                                     const std::vector<Member>& members) {
  std::vector<std::string> lines;
  lines.reserve(members.size());
  for (const Member& member : members) {
    lines.push_back(fmt::format("{} {} {}", verb, name, member.ToString()));
  }
  return lines;
}

}  // namespace

std::string_view TypeName(ir::SetKind kind) {
  switch (kind) {
    case ir::SetKind::kNet:
      return "hash:net";
    case ir::SetKind::kIpPort:
      return "hash:ip,port";
  }
  return "";
}

std::string InterfaceMember::ToString() const {
  return fmt::format("{},{} skbmark 0x{:x}/0x{:x}", net.ToString(), interface, mark, mask);
}

std::vector<std::string> ToRestoreLines(const Operation& operation) {
  using Lines = std::vector<std::string>;
  return std::visit(
      Overloaded{
          [](const CreateSet& create) {
            return Lines{fmt::format("create {} {} family {} hashsize {} maxelem {}", create.name,
                                     TypeName(create.kind),
                                     create.family == model::IpFamily::kV4 ? "inet" : "inet6",
                                     create.hash_size, create.max_members)};
          },
          [](const CreateInterfaceSet& create) {
            return Lines{fmt::format(
                "create {} {} family {} hashsize {} maxelem {} counters skbinfo", create.name,
                kInterfaceTypeName, create.family == model::IpFamily::kV4 ? "inet" : "inet6",
                create.hash_size, create.max_members)};
          },
          [](const AddInterfaceMembers& add) {
            Lines lines = MemberLines("add", add.name, add.members);
            for (std::size_t i = 0; i < lines.size(); ++i) {
              const std::optional<MemberCounters>& counters = add.members.at(i).counters;
              if (!counters.has_value()) continue;
              lines.at(i) +=
                  fmt::format(" packets {} bytes {}", counters->packets, counters->bytes);
            }
            return lines;
          },
          [](const DeleteInterfaceMembers& del) {
            Lines lines;
            for (const InterfaceMember& member : del.members) {
              lines.push_back(
                  fmt::format("del {} {},{}", del.name, member.net.ToString(), member.interface));
            }
            return lines;
          },
          [](const AddMembers& add) { return MemberLines("add", add.name, add.members); },
          [](const DeleteMembers& del) { return MemberLines("del", del.name, del.members); },
          [](const SwapSets& swap) {
            return Lines{fmt::format("swap {} {}", swap.name, swap.other)};
          },
          [](const DestroySet& destroy) { return Lines{fmt::format("destroy {}", destroy.name)}; },
      },
      operation);
}

}  // namespace felix::ipset
