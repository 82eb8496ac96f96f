// SPDX-License-Identifier: Apache-2.0
#include "compiler/log_prefix.h"

#include <algorithm>
#include <cstddef>
#include <optional>

namespace felix::compiler {
namespace {

constexpr std::size_t kKernelLimit = 29;  // struct ipt_log_info: 30 bytes with the NUL

struct Words {
  std::string_view tier;
  std::string_view kind;
  std::string_view name;
  std::string path;

  [[nodiscard]] std::optional<std::string_view> Find(char placeholder) const {
    switch (placeholder) {
      case 't':
        return tier;
      case 'k':
        return kind;
      case 'n':
        return name;
      case 'p':
        return path;
      default:
        return std::nullopt;
    }
  }
};

std::string Fill(std::string_view configured, const Words& words) {
  std::string prefix;
  for (std::size_t i = 0; i < configured.size(); ++i) {
    if (configured[i] == '%' && i + 1 < configured.size()) {
      if (const auto word = words.Find(configured[i + 1])) {
        prefix += *word;
        ++i;
        continue;
      }
    }
    prefix += configured[i];
  }
  prefix += ": ";
  prefix.resize(std::min(prefix.size(), kKernelLimit));
  for (char& c : prefix) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = '_';
  }
  return prefix;
}

}  // namespace

std::string PolicyLogPrefix(std::string_view configured, const model::PolicyId& id,
                            std::string_view tier) {
  return Fill(configured,
              {.tier = tier,
               .kind = model::ShortKindName(id.kind),
               .name = id.name,
               .path = id.namespace_name.empty() ? id.name : id.namespace_name + "/" + id.name});
}

std::string ProfileLogPrefix(std::string_view configured, std::string_view name) {
  return Fill(configured, {.tier = "", .kind = "pro", .name = name, .path = std::string(name)});
}

}  // namespace felix::compiler
