// SPDX-License-Identifier: Apache-2.0
#include "iptables/table_socket.h"

#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

#include "fmt/format.h"

#include "iptables/errno_status.h"
#include "model/base/check.h"

namespace felix::iptables {
namespace {

// Both families have the same structs under different names and numbers.
static_assert(sizeof(ipt_replace) == TableBlob::kRoom && sizeof(ip6t_replace) == TableBlob::kRoom);
static_assert(offsetof(ipt_replace, counters) == offsetof(ip6t_replace, counters));
static_assert(sizeof(ipt_get_entries) == sizeof(ip6t_get_entries));
static_assert(IPT_SO_SET_REPLACE == IP6T_SO_SET_REPLACE);
static_assert(IPT_SO_SET_ADD_COUNTERS == IP6T_SO_SET_ADD_COUNTERS);
static_assert(IPT_SO_GET_ENTRIES == IP6T_SO_GET_ENTRIES);
static_assert(sizeof(Counters) == sizeof(xt_counters));
static_assert(offsetof(Counters, packets) == offsetof(xt_counters, pcnt));

int Level(model::IpFamily family) {
  return family == model::IpFamily::kV4 ? IPPROTO_IP : IPPROTO_IPV6;
}

// These structs end in an array of no size, which clang does not initialise with braces.
template <typename T>
T Zeroed() {
  T value;
  std::memset(&value, 0, sizeof value);
  return value;
}

template <std::size_t kSize>
void SetName(ir::Table table, char (&name)[kSize]) {
  const std::string_view text = ir::TableName(table);
  std::copy_n(text.data(), std::min(text.size(), kSize - 1), name);
}

}  // namespace

absl::StatusOr<TableSocket> TableSocket::Open(model::IpFamily family, ir::Table table) {
  const int fd =
      socket(family == model::IpFamily::kV4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd >= 0) return TableSocket(family, table, fd);
  const int error = errno;
  return FailureOf(error, "opening a socket for tables");
}

TableSocket::TableSocket(TableSocket&& other) noexcept
    : family_(other.family_), table_(other.table_), fd_(std::exchange(other.fd_, -1)) {}

TableSocket& TableSocket::operator=(TableSocket&& other) noexcept {
  std::swap(family_, other.family_);
  std::swap(table_, other.table_);
  std::swap(fd_, other.fd_);
  return *this;
}

TableSocket::~TableSocket() {
  if (fd_ >= 0) close(fd_);
}

absl::Status TableSocket::Read(const TableOutline& outline, std::string& buffer) const {
  FELIX_CHECK(buffer.size() == TableBlob::kRoom + outline.bytes, "a buffer of another size");
  auto head = Zeroed<ipt_get_entries>();
  SetName(table_, head.name);
  head.size = outline.bytes;
  char* const at = buffer.data() + TableBlob::kRoom - sizeof head;
  std::memcpy(at, &head, sizeof head);
  auto length = static_cast<socklen_t>(sizeof head + outline.bytes);
  if (getsockopt(fd_, Level(family_), IPT_SO_GET_ENTRIES, at, &length) == 0) {
    return absl::OkStatus();
  }
  const int error = errno;
  return FailureOf(error, fmt::format("reading table {}", ir::TableName(table_)));
}

absl::Status TableSocket::Replace(TableBlob& blob, std::size_t entries_before,
                                  std::vector<Counters>& before) const {
  before.resize(entries_before);
  auto head = Zeroed<ipt_replace>();
  SetName(table_, head.name);
  head.valid_hooks = blob.outline.hooks;
  head.num_entries = blob.outline.entries;
  head.size = blob.outline.bytes;
  std::copy(blob.outline.chain_starts.begin(), blob.outline.chain_starts.end(), head.hook_entry);
  std::copy(blob.outline.chain_ends.begin(), blob.outline.chain_ends.end(), head.underflow);
  head.num_counters = static_cast<unsigned>(entries_before);
  head.counters = reinterpret_cast<xt_counters*>(before.data());
  std::memcpy(blob.buffer.data(), &head, sizeof head);
  if (setsockopt(fd_, Level(family_), IPT_SO_SET_REPLACE, blob.buffer.data(),
                 static_cast<socklen_t>(blob.buffer.size())) == 0) {
    return absl::OkStatus();
  }
  const int error = errno;
  return CommitFailure(error);
}

absl::Status TableSocket::AddCounters(const std::vector<Counters>& counters) const {
  auto head = Zeroed<xt_counters_info>();
  SetName(table_, head.name);
  head.num_counters = static_cast<unsigned>(counters.size());
  std::vector<char> call(sizeof head + counters.size() * sizeof(Counters));
  std::memcpy(call.data(), &head, sizeof head);
  std::memcpy(call.data() + sizeof head, counters.data(), counters.size() * sizeof(Counters));
  if (setsockopt(fd_, Level(family_), IPT_SO_SET_ADD_COUNTERS, call.data(),
                 static_cast<socklen_t>(call.size())) == 0) {
    return absl::OkStatus();
  }
  const int error = errno;
  return FailureOf(error,
                   fmt::format("putting back the counters of table {}", ir::TableName(table_)));
}

}  // namespace felix::iptables
