// SPDX-License-Identifier: Apache-2.0
#include "datastore/names.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "fmt/format.h"

#include "model/base/strings.h"

namespace felix::datastore {
namespace {

bool IsLowerAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool IsAlphanumeric(char c) {
  return IsLowerAlphanumeric(c) || (c >= 'A' && c <= 'Z');
}

bool IsNameCharacter(char c) {
  return IsAlphanumeric(c) || c == '-' || c == '_' || c == '.';
}

bool AllOf(std::string_view text, bool (*predicate)(char)) {
  return std::all_of(text.begin(), text.end(), predicate);
}

bool IsDnsPart(std::string_view text) {
  if (text.empty() || !IsLowerAlphanumeric(text.front()) || !IsLowerAlphanumeric(text.back())) {
    return false;
  }
  return AllOf(text, [](char c) { return IsLowerAlphanumeric(c) || c == '-'; });
}

bool IsQualifiedPart(std::string_view text) {
  return !text.empty() && text.size() <= 63 && IsAlphanumeric(text.front()) &&
         IsAlphanumeric(text.back()) && AllOf(text, IsNameCharacter);
}

std::optional<std::string> CutPrefix(std::string_view name,
                                     std::initializer_list<std::string_view> prefixes) {
  for (const std::string_view prefix : prefixes) {
    if (name.starts_with(prefix)) return std::string(name.substr(prefix.size()));
  }
  return std::nullopt;
}

bool IsHex(std::string_view text) {
  return AllOf(text, [](char c) { return absl::ascii_isxdigit(static_cast<unsigned char>(c)); });
}

}  // namespace

bool IsDnsLabel(std::string_view text) {
  return text.size() <= 63 && IsDnsPart(text);
}

bool IsDnsName(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  for (const absl::string_view part : absl::StrSplit(ToAbsl(text), '.')) {
    if (!IsDnsPart(ToStd(part))) return false;
  }
  return true;
}

std::optional<std::string> CheckResourceName(std::string_view name) {
  if (name.empty()) return "missing";
  if (name.size() > 253) return fmt::format("{} characters, more than 253", name.size());
  if (!IsDnsName(name)) return "not lower-case letters, digits and dashes, joined by dots";
  return std::nullopt;
}

std::optional<std::string> CheckProfileName(std::string_view name) {
  if (name.empty()) return "missing";
  if (name.size() > 253) return fmt::format("{} characters, more than 253", name.size());
  const bool allowed = std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-';
  });
  if (!allowed) return "not letters, digits, underscores, dots and dashes";
  return std::nullopt;
}

std::optional<std::string> CheckNamespace(std::string_view name) {
  if (name.empty()) return "missing";
  if (!IsDnsLabel(name)) return "not at most 63 lower-case letters, digits and dashes";
  return std::nullopt;
}

std::optional<std::string> CheckTierName(std::string_view name) {
  return CheckNamespace(name);
}

std::optional<std::string> CheckPolicyName(std::string_view name, bool global) {
  if (auto problem = CheckResourceName(name)) return problem;
  const std::ptrdiff_t dots = std::count(name.begin(), name.end(), '.');
  if (dots <= 1) return std::nullopt;
  const std::optional<std::string> rest =
      global ? CutPrefix(name, {"kcnp.kube-admin.", "kcnp.kube-baseline.", "knp.default.",
                                "ossg.default."})
             : CutPrefix(name, {"knp.default.", "ossg.default."});
  if (rest && IsDnsName(*rest)) return std::nullopt;
  return "more than two parts joined by a dot";
}

std::optional<std::string> CheckLabelKey(std::string_view key) {
  std::string_view name = key;
  if (const std::size_t slash = key.find('/'); slash != std::string_view::npos) {
    if (!IsDnsName(key.substr(0, slash))) return "label key's prefix is not a DNS name";
    name = key.substr(slash + 1);
  }
  if (!IsQualifiedPart(name)) return "label key is not a qualified name";
  return std::nullopt;
}

std::optional<std::string> CheckLabelValue(std::string_view value) {
  if (value.empty() || IsQualifiedPart(value)) return std::nullopt;
  if (value.size() > 63) {
    return fmt::format("label value has {} characters, more than 63", value.size());
  }
  return "label value is not letters, digits, '-', '_' and '.' with alphanumeric edges";
}

bool IsInterfaceName(std::string_view name) {
  return !name.empty() && name.size() <= 15 && name != "." && name != ".." &&
         AllOf(name, IsNameCharacter);
}

bool IsMacAddress(std::string_view text) {
  const auto valid = [text](char separator, std::size_t digits,
                            std::initializer_list<std::size_t> groups) {
    const std::vector<absl::string_view> parts = absl::StrSplit(ToAbsl(text), separator);
    if (std::find(groups.begin(), groups.end(), parts.size()) == groups.end()) return false;
    return std::all_of(parts.begin(), parts.end(), [digits](absl::string_view part) {
      return part.size() == digits && IsHex(ToStd(part));
    });
  };
  return valid(':', 2, {6, 8, 20}) || valid('-', 2, {6, 8, 20}) || valid('.', 4, {3, 4, 10});
}

std::optional<WorkloadEndpointName> ParseWorkloadEndpointName(std::string_view name) {
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] != '-') {
      parts.back() += name[i];
    } else if (i + 1 < name.size() && name[i + 1] == '-') {
      parts.back() += '-';
      ++i;
    } else {
      parts.emplace_back();
    }
  }
  if (parts.size() != 4) return std::nullopt;
  for (const std::string& part : parts) {
    if (part.empty() || part.front() == '-' || part.back() == '-') return std::nullopt;
    if (!AllOf(part, IsNameCharacter)) return std::nullopt;
  }
  return WorkloadEndpointName{parts[0], parts[1], parts[2], parts[3]};
}

}  // namespace felix::datastore
