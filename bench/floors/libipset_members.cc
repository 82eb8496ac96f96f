// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>

#include <cstdint>

extern "C" {
#include "libipset/data.h"
#include "libipset/linux_ip_set.h"
#include "libipset/session.h"
#include "libipset/types.h"
}

#include "bench/floors/sets.h"
#include "model/base/check.h"

namespace felix::bench {
namespace {

int PrintNothing(struct ipset_session* /*session*/, void* /*closure*/, const char* /*format*/,
                 ...) {
  return 0;
}

struct ipset_session* Session(void* session) {
  return static_cast<struct ipset_session*>(session);
}

}  // namespace

LibipsetMembers::LibipsetMembers() : session_(nullptr), type_(nullptr) {
  ipset_load_types();
  session_ = ipset_session_init(PrintNothing, nullptr);
  FELIX_CHECK(session_ != nullptr, "no libipset session");
  const std::uint8_t family = AF_INET;
  struct ipset_data* data = ipset_session_data(Session(session_));
  ipset_data_set(data, IPSET_OPT_TYPENAME, "hash:net");
  ipset_data_set(data, IPSET_OPT_FAMILY, &family);
  type_ = ipset_type_get(Session(session_), IPSET_CMD_CREATE);
  ipset_envopt_set(Session(session_), IPSET_ENV_EXIST);
}

LibipsetMembers::~LibipsetMembers() {
  ipset_session_fini(Session(session_));
}

void LibipsetMembers::Member(const std::string& name, std::uint32_t host) {
  const std::uint8_t family = AF_INET;
  const std::uint8_t length = 32;
  const std::uint32_t address = htonl(host);
  struct ipset_data* data = ipset_session_data(Session(session_));
  ipset_data_set(data, IPSET_SETNAME, name.c_str());
  ipset_data_set(data, IPSET_OPT_FAMILY, &family);
  ipset_data_set(data, IPSET_OPT_TYPE, type_);
  ipset_data_set(data, IPSET_OPT_IP, &address);
  ipset_data_set(data, IPSET_OPT_CIDR, &length);
}

void LibipsetMembers::AddAll(const std::string& name, std::span<const std::uint32_t> hosts) {
  std::uint32_t line = 0;
  for (const std::uint32_t host : hosts) {
    Member(name, host);
    FELIX_CHECK(ipset_cmd(Session(session_), IPSET_CMD_ADD, ++line) >= 0, "libipset fails");
  }
  FELIX_CHECK(ipset_commit(Session(session_)) >= 0, "libipset fails");
}

void LibipsetMembers::Delete(const std::string& name, std::uint32_t host) {
  Member(name, host);
  FELIX_CHECK(ipset_cmd(Session(session_), IPSET_CMD_DEL, 0) >= 0, "libipset fails");
}

}  // namespace felix::bench
