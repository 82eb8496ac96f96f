// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "iptables/kernel_table.h"
#include "model/address.h"

// The iptables tools, run in the calling thread's network namespace.
namespace felix::testing {

// Runs a shell command; a non-zero end fails the test. Returns what it printed.
std::string RunTool(const std::string& command);

// "iptables-legacy" or "ip6tables-legacy".
std::string Tool(model::IpFamily family);

// The rules of one chain as iptables-save prints them, without `-A <chain> `.
std::vector<std::string> SavedRules(model::IpFamily family, const std::string& table,
                                    const std::string& chain);
// What iptables-save prints, without its comments.
std::string SavedTable(model::IpFamily family, const std::string& table,
                       bool with_counters = false);

// Appends a rule as a program does that does not respect the lock.
void AppendWithoutLock(const std::string& chain, const std::string& source,
                       iptables::Counters counters);

// Sends datagrams to the loopback address, through OUTPUT. Their answers are ICMP.
void SendDatagrams(int count);

}  // namespace felix::testing
