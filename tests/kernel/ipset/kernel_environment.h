// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <memory>
#include <string>

#include "fmt/format.h"
#include "gtest/gtest.h"

#include "ipset/libipset_sets.h"
#include "model/base/check.h"
#include "tests/support/network_namespace.h"

namespace felix::testing {

// The real kernel in a network namespace of its own; the calling thread stays in it.
class KernelEnvironment {
 public:
  static void Require() { FELIX_REQUIRE_ROOT(); }

  KernelEnvironment() {
    EnterFreshNetworkNamespace();
    auto sets = ipset::LibipsetSets::Open();
    FELIX_CHECK(sets.ok(), sets.status().ToString());
    kernel_ = *std::move(sets);
  }

  ipset::KernelSets& kernel() { return *kernel_; }
  void Reference(const std::string& name) {
    Shell(fmt::format("iptables-legacy -w -A INPUT -m set --match-set {} src -j DROP", name));
  }
  void Release(const std::string& name) {
    Shell(fmt::format("iptables-legacy -w -D INPUT -m set --match-set {} src -j DROP", name));
  }
  void PutWithTimeout(const std::string& name) {
    Shell(fmt::format("ipset create {0} hash:net timeout 600 && ipset add {0} 10.9.9.9", name));
  }
  void PutUncounted(const std::string& name) {
    Shell(
        fmt::format("ipset create {0} hash:net,iface maxelem 1048576 skbinfo && "
                    "ipset add {0} 10.0.0.1,cali1 skbmark 0x1/0xff",
                    name));
  }
  static void Shell(const std::string& command) {
    EXPECT_EQ(std::system(command.c_str()), 0)
        << command;  // NOLINT(cert-env33-c,concurrency-mt-unsafe)
  }

 private:
  std::unique_ptr<ipset::LibipsetSets> kernel_;
};

}  // namespace felix::testing
