// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "iptables/encoded_rule.h"

// What others pay for the same work on the IPv4 filter table (or another one, if it is named) of
// the calling thread's network namespace: the library alone, the system call alone, and a process
// of the iptables tools. What fails ends the program, since its time would mean nothing.
namespace felix::bench {

struct NamedChain {
  std::string name;
  std::vector<iptables::EncodedRule> rules;
};

// libiptc as it is meant: init, then for each chain flush it (make it if it is not there) and
// append its rules, commit, free. Chains come before the rules that jump to them. No lock.
void RewriteWithLibiptc(const std::vector<NamedChain>& chains);

// A table as bytes.
class TableBytes {
 public:
  // IPT_SO_GET_INFO and IPT_SO_GET_ENTRIES.
  static TableBytes Read(const char* name = "filter");
  // IPT_SO_GET_INFO and one IPT_SO_SET_REPLACE: these bytes instead of what is there.
  void Replace();
  [[nodiscard]] std::uint32_t entries() const { return entries_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  std::uint32_t entries_ = 0;
  std::size_t size_ = 0;
  std::vector<char> replace_;  // an ipt_replace with its entries; the counters are filled in later
};

// Runs a program to its end with `input` on its standard input; what it prints.
std::string RunProgram(const std::vector<std::string>& command, const std::string& input = {});
// iptables-legacy-restore --noflush.
void RestoreWithProcess(const std::string& text);
// What iptables-legacy-save prints, without comments and counters.
std::string SavedTable();
// What makes RestoreWithProcess() rewrite those chains to what they are in `saved`.
std::string TextOfChains(const std::string& saved, const std::vector<NamedChain>& chains);

}  // namespace felix::bench
