// SPDX-License-Identifier: Apache-2.0
#include "iptables/table_outline.h"

#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "fmt/format.h"

namespace felix::iptables {
namespace {

absl::Status Failure(int error, model::IpFamily family, ir::Table table) {
  const std::string message = fmt::format("asking for the size of the {} {} table: {}",
                                          family == model::IpFamily::kV4 ? "ipv4" : "ipv6",
                                          ir::TableName(table), std::strerror(error));
  if (error == EPERM || error == EACCES) return absl::PermissionDeniedError(message);
  if (error == ENOENT || error == ENOPROTOOPT || error == EAFNOSUPPORT) {
    return absl::FailedPreconditionError(message);
  }
  return absl::InternalError(message);
}

template <typename Info>
absl::StatusOr<TableOutline> Ask(int fd, int level, int option, model::IpFamily family,
                                 ir::Table table) {
  Info info{};
  const std::string_view name = ir::TableName(table);
  std::copy_n(name.data(), std::min(name.size(), sizeof info.name - 1), info.name);
  socklen_t length = sizeof info;
  if (getsockopt(fd, level, option, &info, &length) != 0) return Failure(errno, family, table);
  TableOutline outline{.entries = info.num_entries, .bytes = info.size, .hooks = info.valid_hooks};
  std::copy_n(info.hook_entry, outline.chain_starts.size(), outline.chain_starts.data());
  std::copy_n(info.underflow, outline.chain_ends.size(), outline.chain_ends.data());
  return outline;
}

}  // namespace

TableOutlineReader::~TableOutlineReader() {
  for (const int fd : sockets_) {
    if (fd >= 0) close(fd);
  }
}

absl::StatusOr<TableOutline> TableOutlineReader::Read(model::IpFamily family, ir::Table table) {
  const bool v4 = family == model::IpFamily::kV4;
  int& fd = sockets_[v4 ? 0 : 1];
  if (fd < 0) fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return Failure(errno, family, table);
  return v4 ? Ask<ipt_getinfo>(fd, IPPROTO_IP, IPT_SO_GET_INFO, family, table)
            : Ask<ip6t_getinfo>(fd, IPPROTO_IPV6, IP6T_SO_GET_INFO, family, table);
}

}  // namespace felix::iptables
