// SPDX-License-Identifier: Apache-2.0
#include "felix/replay/firewall_text.h"

#include <array>
#include <optional>

#include "absl/strings/str_split.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

#include "model/base/status_macros.h"
#include "model/base/strings.h"
#include "model/port.h"

namespace felix::replay {
namespace {

using Words = std::vector<std::string>;

// A line's words; quotes hold blanks and are kept, so that texts stay texts.
Words SplitWords(std::string_view line) {
  Words words;
  std::string word;
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted && c == '\\' && i + 1 < line.size()) {
      word += line[++i];
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ' ' && !quoted) {
      if (!word.empty()) words.push_back(std::move(word));
      word.clear();
    } else {
      word += c;
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

std::string ProtocolNumber(const std::string& text) {
  if (text == "ipv6-icmp") return "58";
  if (text == "gre") return "47";
  if (text == "ipencap" || text == "ipip") return "4";
  if (text == "esp") return "50";
  if (text == "ah") return "51";
  const auto protocol = model::Protocol::Parse(text);
  return protocol.ok() ? fmt::format("{}", protocol->number) : text;
}

bool IsHeaderOption(const std::string& word) {
  static constexpr std::array<std::string_view, 5> kOptions = {"-s", "-d", "-i", "-o", "-p"};
  for (const std::string_view option : kOptions) {
    if (word == option) return true;
  }
  return false;
}

// Of words that each program leaves out or writes out as it likes.
void DropDefaults(Words& words) {
  static const std::array<std::pair<std::string_view, std::string_view>, 4> kDefaults = {{
      {"--limit-burst", "5"},
      {"--log-level", "4"},
      {"--reject-with", "icmp-port-unreachable"},
      {"--reject-with", "icmp6-port-unreachable"},
  }};
  for (std::size_t i = 0; i + 1 < words.size();) {
    bool is_default = false;
    for (const auto& [option, value] : kDefaults) {
      is_default = is_default || (words[i] == option && words[i + 1] == value);
    }
    if (is_default) {
      words.erase(words.begin() + static_cast<std::ptrdiff_t>(i),
                  words.begin() + static_cast<std::ptrdiff_t>(i) + 2);
    } else {
      ++i;
    }
  }
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] != "--limit") continue;
    // 10/min is 10/minute.
    std::string& rate = words[i + 1];
    const std::size_t slash = rate.find('/');
    if (slash != std::string::npos) rate.resize(std::min(rate.size(), slash + 2));
  }
}

std::string Spell(Words words) {
  DropDefaults(words);
  std::map<std::string, std::string> header;
  Words rest;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool negated = words[i] == "!" && i + 1 < words.size() && IsHeaderOption(words[i + 1]);
    const std::size_t option = i + (negated ? 1 : 0);
    if (!IsHeaderOption(words[option]) || option + 1 >= words.size()) {
      rest.push_back(words[i]);
      continue;
    }
    std::string value = words[option + 1];
    if (words[option] == "-p") value = ProtocolNumber(value);
    header[words[option]] = fmt::format("{}{} {}", negated ? "! " : "", words[option], value);
    i = option + 1;
  }
  std::string text;
  for (const char* option : {"-s", "-d", "-i", "-o", "-p"}) {
    if (const auto found = header.find(option); found != header.end()) text += found->second + " ";
  }
  return text + fmt::format("{}", fmt::join(rest, " "));
}

bool IsOurs(std::string_view chain) {
  return chain.starts_with("cali-");
}

// Where the rule goes if that is another chain of ours.
bool GoesToOurs(const Words& words) {
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if ((words[i] == "-j" || words[i] == "-g") && IsOurs(words[i + 1])) return true;
  }
  return false;
}

absl::Status Unknown(std::string_view what, std::size_t number, std::string_view line) {
  return absl::InvalidArgumentError(
      fmt::format("line {}: not of {}: '{}'", number, what, line.substr(0, 80)));
}

// A member without its counters. In hash:net,iface a host may be written with its prefix length.
std::string MemberOf(const Words& words) {
  std::string member = words[2];
  const std::size_t comma = member.find(',');
  const std::string_view net = std::string_view(member).substr(0, comma);
  const std::string_view whole = net.find(':') == net.npos ? "/32" : "/128";
  if (net.ends_with(whole)) member.erase(net.size() - whole.size(), whole.size());
  for (std::size_t i = 3; i + 1 < words.size(); i += 2) {
    if (words[i] == "skbmark") member += " " + words[i + 1];
  }
  return member;
}

bool IsNumber(const std::string& word) {
  return !word.empty() && word.find_first_not_of("0123456789") == std::string::npos;
}

}  // namespace

absl::Status FirewallText::AddRules(std::string_view family, std::string_view text) {
  std::string table;
  std::size_t number = 0;
  for (const auto part : absl::StrSplit(ToAbsl(text), '\n')) {
    ++number;
    std::string_view line = ToStd(part);
    if (line.empty() || line.starts_with('#') || line == "COMMIT") continue;
    if (line.starts_with('*')) {
      table = line.substr(1);
      continue;
    }
    if (table.empty()) return Unknown("iptables-save", number, line);
    // Counters, with iptables-save -c.
    if (line.starts_with('[')) line.remove_prefix(std::min(line.size(), line.find(' ') + 1));
    Words words = SplitWords(line);
    if (line.starts_with(':')) {
      const std::string name = words[0].substr(1);
      if (IsOurs(name)) chains.try_emplace({std::string(family), table, name});
      continue;
    }
    if (words.size() < 3 || (words[0] != "-A" && words[0] != "-I")) {
      return Unknown("iptables-save", number, line);
    }
    const std::string name = words[1];
    const bool placed = words[0] == "-I" && IsNumber(words[2]);
    words.erase(words.begin(), words.begin() + (placed ? 3 : 2));
    if (!IsOurs(name) && !GoesToOurs(words)) continue;
    chains[{std::string(family), table, name}].push_back(Spell(std::move(words)));
  }
  return absl::OkStatus();
}

absl::Status FirewallText::AddSets(std::string_view text) {
  std::size_t number = 0;
  for (const auto part : absl::StrSplit(ToAbsl(text), '\n')) {
    ++number;
    const std::string_view line = ToStd(part);
    if (line.empty() || line.starts_with('#')) continue;
    const Words words = SplitWords(line);
    if (words.size() >= 5 && words[0] == "create") {
      if (!words[1].starts_with("cali")) continue;
      sets[words[1]].type = fmt::format("{} {}", words[2], words[4]);
    } else if (words.size() >= 3 && words[0] == "add") {
      if (const auto set = sets.find(words[1]); set != sets.end()) {
        set->second.members.insert(MemberOf(words));
      }
    } else {
      return Unknown("ipset save", number, line);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<FirewallText> FirewallText::Of(const RestoreFiles& files) {
  FirewallText text;
  FELIX_RETURN_IF_ERROR(text.AddSets(files.sets));
  FELIX_RETURN_IF_ERROR(text.AddRules("ipv4", files.v4));
  FELIX_RETURN_IF_ERROR(text.AddRules("ipv6", files.v6));
  return text;
}

}  // namespace felix::replay
