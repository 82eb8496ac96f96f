// SPDX-License-Identifier: Apache-2.0
#include "iptables/features.h"

// The kernel's headers yield to the C library's, but only if those come first.
// clang-format off
#include <climits>
#include <netinet/in.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
// clang-format on
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "fmt/format.h"

#include "compiler/ir/desired_state.h"
#include "model/address.h"

namespace felix::iptables {
namespace {

struct Family {
  std::string_view name;
  std::string_view icmp;
  std::uint8_t snat_revision;
  int domain;
  int level;
  int info;
  int match;
  int target;
};
constexpr std::array<Family, 2> kFamilies = {{
    {"ipv4", "icmp", 0, AF_INET, IPPROTO_IP, IPT_SO_GET_INFO, IPT_SO_GET_REVISION_MATCH,
     IPT_SO_GET_REVISION_TARGET},
    {"ipv6", "icmp6", 1, AF_INET6, IPPROTO_IPV6, IP6T_SO_GET_INFO, IP6T_SO_GET_REVISION_MATCH,
     IP6T_SO_GET_REVISION_TARGET},
}};

struct Wanted {
  std::string_view name;
  std::uint8_t revision;
};
constexpr std::array<Wanted, 8> kMatches = {{{"multiport", 1},
                                             {"set", 4},
                                             {"conntrack", 3},
                                             {"mark", 1},
                                             {"comment", 0},
                                             {"addrtype", 1},
                                             {"rpfilter", 0},
                                             {"limit", 0}}};
constexpr std::array<Wanted, 8> kTargets = {{{"MARK", 2},
                                             {"LOG", 0},
                                             {"REJECT", 0},
                                             {"NFLOG", 0},
                                             {"CT", 2},
                                             {"MASQUERADE", 0},
                                             {"DNAT", 2},
                                             {"SET", 3}}};

class Prober {
 public:
  Prober(const Family& family, std::vector<Feature>& out)
      : family_(family),
        out_(out),
        socket_(socket(family.domain, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW)) {
    if (socket_ < 0) socket_error_ = errno;
  }
  ~Prober() {
    if (socket_ >= 0) close(socket_);
  }
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  void Table(std::string_view table) {
    // Both families have one layout of this struct.
    static_assert(sizeof(ipt_getinfo) == sizeof(ip6t_getinfo));
    ipt_getinfo info{};
    std::memcpy(info.name, table.data(), table.size());
    const int error = Ask(family_.info, &info, sizeof(info));
    Add(fmt::format("table {}", table), error,
        error == 0 ? fmt::format("{} entries", info.num_entries) : std::string());
  }

  void Match(const Wanted& wanted) { Revision("match", family_.match, wanted); }
  void Target(const Wanted& wanted) { Revision("target", family_.target, wanted); }

 private:
  void Revision(std::string_view kind, int option, const Wanted& wanted) {
    xt_get_revision request{};
    std::memcpy(request.name, wanted.name.data(), wanted.name.size());
    request.revision = wanted.revision;
    const int error = Ask(option, &request, sizeof(request));
    Add(fmt::format("{} {} revision {}", kind, wanted.name, static_cast<int>(wanted.revision)),
        error, "");
  }

  int Ask(int option, void* request, socklen_t size) const {
    if (socket_ < 0) return socket_error_;
    return getsockopt(socket_, family_.level, option, request, &size) == 0 ? 0 : errno;
  }

  void Add(const std::string& name, int error, std::string detail) {
    if (error == EPROTONOSUPPORT) {
      detail = "the kernel has no such revision";
    } else if (error != 0) {
      detail = std::strerror(error);
    }
    out_.push_back(Feature{.name = fmt::format("{} {}", family_.name, name),
                           .present = error == 0,
                           .detail = std::move(detail)});
  }

  const Family& family_;
  std::vector<Feature>& out_;
  int socket_;
  int socket_error_ = 0;
};

}  // namespace

std::vector<Feature> ProbeFeatures() {
  std::vector<Feature> features;
  for (const Family& family : kFamilies) {
    Prober prober(family, features);
    for (const ir::Table table :
         {ir::Table::kRaw, ir::Table::kMangle, ir::Table::kNat, ir::Table::kFilter}) {
      prober.Table(ir::TableName(table));
    }
    for (const Wanted& match : kMatches) prober.Match(match);
    prober.Match({family.icmp, 0});
    for (const Wanted& target : kTargets) prober.Target(target);
    prober.Target({"SNAT", family.snat_revision});
  }
  return features;
}

}  // namespace felix::iptables
